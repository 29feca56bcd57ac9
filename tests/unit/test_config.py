"""``[readiness]`` in airflow.cfg."""

from __future__ import annotations

import datetime as dt

import pytest

from airflow_readiness import config
from airflow_readiness.errors import BadInput
from airflow_readiness.options import OPTIONS


def _set(monkeypatch: pytest.MonkeyPatch, option: str, value: str) -> None:
    monkeypatch.setenv(f"AIRFLOW__READINESS__{option.upper()}", value)


def test_nothing_has_to_be_set() -> None:
    assert config.load() == config.Config(
        postgres_conn_id="readiness_postgres",
        redis_conn_id="readiness_redis",
        timezone="UTC",
        default_deadline=dt.time(6),
        batch_size=100,
        fallback=3600,
        registrar_interval=2,
    )


GOOD = {
    "postgres_conn_id": ("pg", "pg"),
    "redis_conn_id": ("kv", "kv"),
    "timezone": ("Asia/Seoul", "Asia/Seoul"),
    "default_deadline": ("23:59", dt.time(23, 59)),
    "batch_size": ("1", 1),
    "fallback": ("10.5", 10.5),
    "registrar_interval": ("0.2", 0.2),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_can_be_set(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    written, expected = GOOD[option]
    _set(monkeypatch, option, written)
    assert getattr(config.load(), option) == expected


BAD = [
    ("timezone", "Mars/Base"),
    ("timezone", "Europe"),
    ("default_deadline", "6"),
    ("default_deadline", "24:00"),
    ("default_deadline", "06:00:00"),
    ("batch_size", "0"),
    ("batch_size", "many"),
    ("batch_size", "1.7"),
    ("batch_size", "nan"),
    ("batch_size", "inf"),
    ("fallback", "9.9"),
    ("fallback", "ten"),
    ("registrar_interval", "0.1"),
    ("registrar_interval", ""),
]


@pytest.mark.parametrize(("option", "value"), BAD)
def test_an_option_that_cannot_be_used_is_named_with_its_value(
    monkeypatch: pytest.MonkeyPatch, option: str, value: str
) -> None:
    _set(monkeypatch, option, value)
    with pytest.raises(BadInput) as caught:
        config.load()
    assert "[readiness]" in str(caught.value)
    assert option in str(caught.value)
    assert repr(value) in str(caught.value)
