"""An entry of the config, and the window that an outside database is asked for."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pendulum
import pytest

from airflow_readiness.errors import BadInput
from airflow_readiness.feeds import LogSystem, outside
from airflow_readiness.feeds.system import check

UTC = dt.timezone.utc
BERLIN = pendulum.timezone("Europe/Berlin")
TABLE = LogSystem(
    name="jobs", conn_id="outside", table="t", source_database="d", source_table="t", logged_at="at"
)
SQL = replace(TABLE, table=None, sql="select * from t where at >= :since")


@pytest.mark.parametrize(
    "system",
    [
        TABLE,
        SQL,
        replace(TABLE, timezone="Europe/Berlin"),
        replace(TABLE, time_format="%Y-%m-%dT%H:%M:%S.%fZ"),
        replace(TABLE, time_format="%Y%m%d%H%M"),
    ],
)
def test_an_entry_that_can_be_used(system: LogSystem) -> None:
    check(system)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "two words"}, "'two words': its name must be of letters"),
        ({"name": ""}, "its name must be"),
        ({"table": None}, "give either table= or sql="),
        ({"sql": "select :since"}, "give either table= or sql="),
        ({"table": None, "sql": "select 1"}, "its sql must read from :since on"),
        ({"overlap": dt.timedelta(0)}, "overlap and first_read must be longer than nothing"),
        ({"first_read": -dt.timedelta(1)}, "overlap and first_read must be longer than nothing"),
        ({"batch_rows": 0}, "batch_rows is 0"),
        ({"timezone": "Mars/Base"}, "'Mars/Base' is not a time zone: give a name"),
        ({"time_format": "%d.%m.%Y %H:%M"}, "'%d.%m.%Y %H:%M' does not sort as time"),
        ({"time_format": "%Y-%m-%d"}, "does not sort as time"),
        ({"time_format": "%Y-%m-%d %I:%M %p"}, "does not sort as time"),
    ],
)
def test_an_entry_that_cannot_is_refused_with_its_name(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message) as refused:
        check(replace(TABLE, **change))
    assert f"the outside system {change.get('name', 'jobs')!r}" in str(refused.value)


def wall(text: str) -> dt.datetime:
    """A time without a zone."""
    return dt.datetime.fromisoformat(text)


def bound(since: str, now: str, **change: Any) -> Any:
    system = replace(TABLE, **change)
    begin, end = (dt.datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (since, now))
    return outside._bound(system, begin, end, BERLIN, aware=not change)


def test_times_with_a_zone_are_compared_with_an_instant() -> None:
    assert bound("2026-11-20T03:00", "2026-11-20T04:00") == dt.datetime(2026, 11, 20, 3, tzinfo=UTC)


def test_times_without_a_zone_are_compared_with_one_on_the_wall() -> None:
    on_the_wall = bound("2026-11-20T03:00", "2026-11-20T04:00", timezone="Europe/Berlin")
    assert on_the_wall == wall("2026-11-20T04:00")
    assert on_the_wall.tzinfo is None
    text = bound("2026-11-20T03:00", "2026-11-20T04:00", time_format="%Y%m%d%H%M")
    assert text == "202611200400"


@pytest.mark.parametrize(
    ("since", "now", "expected"),
    [
        # the clocks go back at 01:00 UTC, from 03:00 to 02:00: what is written at 02:10 may be newer than 02:50
        ("2026-10-25T00:50", "2026-10-25T01:10", "2026-10-25T01:50"),
        ("2026-10-25T00:50", "2026-10-25T00:55", "2026-10-25T02:50"),
        ("2026-10-25T01:10", "2026-10-25T01:20", "2026-10-25T02:10"),
        # and forward: no hour is written twice
        ("2026-03-29T00:50", "2026-03-29T01:10", "2026-03-29T01:50"),
    ],
)
def test_an_hour_that_is_written_twice_is_read_again(since: str, now: str, expected: str) -> None:
    assert bound(since, now, timezone="Europe/Berlin") == wall(expected)


QUERY = "select '%a' from t where x > :since or y > :since"


@pytest.mark.parametrize(
    ("style", "text", "parameters"),
    [
        ("pyformat", "select '%%a' from t where x > %(since)s or y > %(since)s", {"since": 1}),
        ("format", "select '%%a' from t where x > %s or y > %s", [1, 1]),
        ("qmark", "select '%a' from t where x > ? or y > ?", [1, 1]),
        ("numeric", "select '%a' from t where x > :1 or y > :1", [1]),
        ("named", "select '%a' from t where x > :since or y > :since", {"since": 1}),
    ],
)
def test_the_window_is_a_parameter_as_the_driver_marks_it(style: str, text: str, parameters: Any) -> None:
    assert outside._bind(QUERY, style, 1) == (text, parameters)
