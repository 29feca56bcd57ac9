"""The clock changes: the window in SQL is the window in Python, and a deadline in the gap strikes once."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Awaitable, Callable

import pytest

from airflow_readiness.core import dates
from airflow_readiness.store.store import Store

ZONES = [
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Santiago",
    "America/Havana",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Jerusalem",
    "Pacific/Chatham",
    "UTC",
]
CLOCKS = [dt.time(minute // 60, minute % 60) for minute in [*range(0, 240, 15), 360, 1200, 1380, 1425, 1439]]

Do = Callable[..., Awaitable[None]]
Advance = Callable[[dt.datetime], Awaitable[dict[tuple[str, dt.date], str]]]


def days_around_changes(zone: str) -> list[dt.date]:
    """Every day of 2025 to 2027 in which the offset changes, and its neighbours."""
    info = zoneinfo.ZoneInfo(zone)
    noons = [dt.datetime(2025, 1, 1, 12, tzinfo=info) + dt.timedelta(days=ahead) for ahead in range(3 * 365)]
    found = {
        noon.date() + dt.timedelta(days=near)
        for before, noon in zip(noons, noons[1:], strict=False)
        if before.utcoffset() != noon.utcoffset()
        for near in (-1, 0, 1)
    }
    return sorted(found) or [dt.date(2026, 3, 29)]


@pytest.mark.parametrize("zone", ZONES)
async def test_the_window_in_sql_is_the_window_in_python(store: Store, zone: str) -> None:
    cases = [
        (day, deadline, read_from)
        for day in days_around_changes(zone)
        for deadline in CLOCKS
        for read_from in (None, *CLOCKS)
    ]
    rows = await store.connection.fetch(
        "select w.*"
        " from unnest($1::date[], $2::time[], $3::time[]) with ordinality as c (day, deadline, read_from, n)"
        " cross join lateral readiness.log_window(c.day, c.deadline, c.read_from, $4) as w order by c.n",
        *(list(column) for column in zip(*cases, strict=True)),
        zone,
    )
    for (day, deadline, read_from), row in zip(cases, rows, strict=True):
        window = dates.window(day, deadline, read_from, zone)
        assert tuple(row) == (window.start, window.deadline, window.end), (day, deadline, read_from)


@pytest.mark.parametrize(
    ("day", "struck_at"),
    [
        # 02:30 does not exist, 03:30 in summer time is one hour after 01:30
        (dt.date(2026, 3, 29), dt.datetime(2026, 3, 29, 1, 30, tzinfo=dt.timezone.utc)),
        # 02:30 comes twice: the second, in winter time
        (dt.date(2026, 10, 25), dt.datetime(2026, 10, 25, 1, 30, tzinfo=dt.timezone.utc)),
    ],
)
async def test_a_deadline_in_the_gap_or_in_the_overlap_strikes_at_one_instant(
    store: Store, set_settings: Do, advance: Advance, day: dt.date, struck_at: dt.datetime
) -> None:
    await store.run("set_deployment", "Europe/Berlin", dt.time(6))
    await set_settings("hive.sales", "02:30")
    assert await advance(struck_at - dt.timedelta(microseconds=1)) == {("hive.sales", day): "waiting"}
    (row,) = await store.fetch("next_wake", struck_at - dt.timedelta(microseconds=1))
    assert row["wake_at"] == struck_at
    assert await advance(struck_at) == {("hive.sales", day): "missed"}


@pytest.mark.parametrize("zone", ZONES)
async def test_the_windows_of_successive_days_meet_without_gap_or_overlap(store: Store, zone: str) -> None:
    for day in days_around_changes(zone):
        breaches = await store.connection.fetchval(
            "select count(*) from unnest($1::time[]) as read_from "
            "where (readiness.log_window($2::date, '05:00', read_from, $3)).window_end "
            "   <> (readiness.log_window($2::date + 1, '05:00', read_from, $3)).window_start",
            CLOCKS,
            day,
            zone,
        )
        assert breaches == 0, day
