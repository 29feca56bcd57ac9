"""The window of a business date, over clock changes."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_readiness.core.dates import Window, window

ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "UTC",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Pacific/Apia",
)
UTC = dt.timezone.utc
ONE_DAY = dt.timedelta(days=1)

zones = st.sampled_from(ZONES)
clocks = st.builds(dt.time, st.integers(0, 23), st.integers(0, 59))
# the days of these zones on which clocks changed are likely, every other day is possible
days = st.dates(dt.date(2000, 1, 1), dt.date(2037, 12, 1)) | st.sampled_from(
    [
        dt.date(2026, 3, 8),
        dt.date(2026, 11, 1),
        dt.date(2026, 3, 29),
        dt.date(2026, 10, 25),
        dt.date(2026, 4, 5),
        dt.date(2026, 10, 4),
        dt.date(2018, 11, 4),
        dt.date(2018, 2, 18),
        dt.date(2011, 12, 30),
    ]
)


def _utc(day: int, hour: int, minute: int = 0, *, month: int = 11) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, minute, tzinfo=UTC)


def _instant(day: dt.date, clock: dt.time, zone: str) -> dt.datetime:
    """The rule once more, from the standard library: of two offsets the smaller one holds."""
    wall = dt.datetime.combine(day, clock)
    offsets = [wall.replace(tzinfo=ZoneInfo(zone), fold=fold).utcoffset() or dt.timedelta() for fold in (0, 1)]
    return (wall - min(offsets)).replace(tzinfo=UTC)


def test_without_read_from_a_window_begins_at_midnight() -> None:
    assert window(dt.date(2026, 11, 22), dt.time(6), None, "Europe/Berlin") == Window(
        start=_utc(21, 23), deadline=_utc(22, 5), end=_utc(22, 23)
    )


def test_a_day_window_begins_on_its_own_date() -> None:
    assert window(dt.date(2026, 11, 22), dt.time(6, 30), dt.time(2, 15), "UTC") == Window(
        start=_utc(22, 2, 15), deadline=_utc(22, 6, 30), end=_utc(23, 2, 15)
    )


@pytest.mark.parametrize("read_from", [dt.time(22), dt.time(6, 1), dt.time(6)])
def test_a_night_window_begins_on_the_date_before(read_from: dt.time) -> None:
    found = window(dt.date(2026, 11, 22), dt.time(6), read_from, "UTC")
    start = _utc(21, read_from.hour, read_from.minute)
    assert found == Window(start=start, deadline=_utc(22, 6), end=start + ONE_DAY)


def test_a_deadline_at_midnight_without_read_from_is_no_night_window() -> None:
    found = window(dt.date(2026, 11, 22), dt.time(0), None, "UTC")
    assert found == Window(start=_utc(22, 0), deadline=_utc(22, 0), end=_utc(23, 0))


def test_a_time_that_the_clock_change_skips_is_read_with_the_offset_before_it() -> None:
    found = window(dt.date(2026, 3, 29), dt.time(2, 30), None, "Europe/Berlin")
    assert found.deadline == _utc(29, 1, 30, month=3)


def test_a_time_that_the_clock_change_repeats_is_read_with_the_offset_after_it() -> None:
    found = window(dt.date(2026, 10, 25), dt.time(2, 30), None, "Europe/Berlin")
    assert found.deadline == _utc(25, 1, 30, month=10)


@pytest.mark.parametrize(
    ("day", "hours"), [(dt.date(2026, 3, 29), 23), (dt.date(2026, 10, 25), 25), (dt.date(2026, 11, 22), 24)]
)
def test_the_day_of_a_clock_change_is_an_hour_shorter_or_longer(day: dt.date, hours: int) -> None:
    found = window(day, dt.time(6), None, "Europe/Berlin")
    assert found.end - found.start == dt.timedelta(hours=hours)


@given(days, clocks, clocks | st.none(), zones)
@example(dt.date(2026, 3, 8), dt.time(2, 30), None, "America/New_York")
@example(dt.date(2026, 10, 4), dt.time(2, 15), dt.time(2, 10), "Australia/Lord_Howe")
def test_every_edge_is_the_wall_clock_time_in_the_zone(
    day: dt.date, deadline: dt.time, read_from: dt.time | None, zone: str
) -> None:
    found = window(day, deadline, read_from, zone)
    night = read_from is not None and read_from >= deadline
    first = day - ONE_DAY if night else day
    assert found.start == _instant(first, read_from or dt.time(0), zone)
    assert found.deadline == _instant(day, deadline, zone)
    assert found.end == _instant(first + ONE_DAY, read_from or dt.time(0), zone)
    assert {edge.utcoffset() for edge in (found.start, found.deadline, found.end)} == {dt.timedelta()}


@given(days, clocks, clocks | st.none(), zones)
def test_a_window_ends_where_the_next_one_begins(
    day: dt.date, deadline: dt.time, read_from: dt.time | None, zone: str
) -> None:
    today = window(day, deadline, read_from, zone)
    tomorrow = window(day + ONE_DAY, deadline, read_from, zone)
    assert today.end == tomorrow.start
    assert today.start <= today.end
