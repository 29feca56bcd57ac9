"""The options and the connections are asked for once, not by each of ten thousand triggers."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from typing import Any

import pytest

from airflow_readiness import config
from airflow_readiness.errors import NotConfigured
from airflow_readiness_triggers import resolved as resolved_module
from airflow_readiness_triggers.resolved import resolved
from airflow_readiness_triggers.tasks import stop

SETTINGS = config.Config("postgres", "redis", "UTC", dt.time(6), 100, 3600, 2)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[config.Config]:
    """Who asked Airflow, and with which options."""
    calls: list[config.Config] = []

    async def endpoints(settings: config.Config) -> config.Endpoints:
        calls.append(settings)
        await asyncio.sleep(0.01)
        return config.Endpoints({"host": "postgres"}, {"host": "redis"})

    monkeypatch.setattr(config, "load", lambda: SETTINGS)
    monkeypatch.setattr(config, "aendpoints", endpoints)
    return calls


async def test_of_many_at_once_one_asks_and_all_hold_the_same(asked: list[Any]) -> None:
    answers = await asyncio.gather(*(resolved() for _ in range(100)))
    assert len(asked) == 1
    assert len({id(endpoints) for _, endpoints in answers}) == 1


async def test_it_is_asked_anew_after_a_while_and_kept_if_it_is_the_same(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolved_module, "KEEP", 0.0)
    first = await resolved()
    assert await resolved() is first
    assert len(asked) == 2
    later = dataclasses.replace(SETTINGS, timezone="Europe/Berlin")
    monkeypatch.setattr(config, "load", lambda: later)
    assert (await resolved())[0] is later


async def test_a_failure_is_not_kept(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_settings: config.Config) -> config.Endpoints:
        raise NotConfigured("there is no connection")

    with monkeypatch.context() as broken:
        broken.setattr(config, "aendpoints", nothing)
        found = await asyncio.gather(*(resolved() for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in found] == [NotConfigured] * 3
    assert (await resolved())[1].redis == {"host": "redis"}


async def test_who_is_cancelled_while_he_asks_leaves_it_to_the_next(asked: list[Any]) -> None:
    first, second = asyncio.create_task(resolved()), asyncio.create_task(resolved())
    await asyncio.sleep(0.005)
    await stop(first)
    assert (await second)[0] is SETTINGS


def test_each_event_loop_asks_for_itself(asked: list[Any]) -> None:
    assert asyncio.run(resolved()) == asyncio.run(resolved())
    assert len(asked) == 2
