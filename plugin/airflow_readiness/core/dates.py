"""Business dates and the window in which a source's logs count for one.

The window of date D ends at ``deadline`` on D. It begins at ``read_from``: on D, or on D-1 if
``read_from`` is not earlier in the day than ``deadline`` (a night window); without ``read_from``
at midnight of D. After the deadline it stays open, for rows that are late, until the window of
D+1 begins. ``readiness.log_window`` in ``schema.sql`` is the same rule in SQL, and a test holds
the two together over every clock change.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from dataclasses import dataclass
from typing import Final

import pendulum

from airflow_readiness.errors import BadDate, BadInput

#: Python 3.11 also reads weeks (``2026-W01-1``) as dates.
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_SPAN: Final = re.compile(r"([0-9]{1,5})([smh])")
#: Seconds of each unit of a span of time.
_UNITS: Final = {"h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True, slots=True)
class Window:
    """Instants in UTC: logs count from ``start``, are on time until ``deadline``, late until ``end``."""

    start: dt.datetime
    deadline: dt.datetime
    end: dt.datetime


@functools.lru_cache(maxsize=64)
def timezone(name: str) -> pendulum.Timezone:
    """The time zone of that name. Read from the disk once, by ``config.load()``: afterwards it blocks nothing.

    :raises BadInput: if there is none
    """
    try:
        return pendulum.timezone(name)
    except (ValueError, KeyError, OSError) as error:
        raise BadInput(
            f"{name!r} is not a time zone: set [readiness] timezone to a name like 'Europe/Berlin'"
        ) from error


def parse_date(value: object) -> dt.date:
    """``"2026-11-22"`` → a date.

    :raises BadDate: for anything that is not a calendar day written ``YYYY-MM-DD``
    """
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    try:
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            raise ValueError
        return dt.date.fromisoformat(value)
    except ValueError:
        raise BadDate(f"{value!r} is not a business date: write it as YYYY-MM-DD") from None


def business_date(value: object, zone: str) -> dt.date:
    """The business date that a partition key, a date or an instant stands for.

    :param value: ``YYYY-MM-DD``, or an ISO 8601 instant with an offset, whose date in ``zone`` counts
    :raises BadDate: if it is neither
    """
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise BadDate(f"{value!r} has no time zone: give an aware instant or a date YYYY-MM-DD")
        try:
            return value.astimezone(timezone(zone)).date()
        except OverflowError:
            raise BadDate(f"{value!r} is out of range: give an instant of the years 1 to 9999") from None
    if isinstance(value, str) and len(value) > 10:
        try:
            instant = dt.datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            raise BadDate(
                f"{value!r} is neither a business date YYYY-MM-DD nor an instant with an offset"
            ) from None
        return business_date(instant, zone)
    return parse_date(value)


def parse_clock(value: object) -> dt.time:
    """``"06:30"`` → a time of day.

    :raises BadDate: for anything else
    """
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        raise BadDate(f"{value!r} is not a time of day: write it as HH:MM, from 00:00 to 23:59")
    return dt.time(int(value[:2]), int(value[3:]))


def parse_span(value: object) -> int:
    """``"30m"`` → seconds; also ``"90s"``, ``"2h"``. A day at the most.

    :raises BadDate: for anything else
    """
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= 24 * 3600:
        raise BadDate(f"{value!r} is not a span of time: write '30m', '90s' or '2h', 24 hours at the most")
    return seconds


def span_text(seconds: int) -> str:
    """1800 → ``"30m"``, in the largest unit that divides it; :func:`parse_span` reads it back."""
    unit = next(unit for unit, size in _UNITS.items() if seconds % size == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


@functools.lru_cache(maxsize=4096)
def wall_clock(day: dt.date, clock: dt.time, zone: str) -> dt.datetime:
    """The instant (UTC) of a wall-clock time; one that a clock change skips or repeats is as in a window.

    :raises BadInput: if there is no such time zone
    """
    return _instant(day, clock, timezone(zone))


def _instant(day: dt.date, clock: dt.time, zone: pendulum.Timezone) -> dt.datetime:
    # A time that the clock change skips is read with the offset before it, one that it repeats
    # with the offset after it; Postgres's AT TIME ZONE does the same.
    moment = pendulum.datetime(
        day.year, day.month, day.day, clock.hour, clock.minute, clock.second, tz=zone, fold=1
    )
    return moment.in_timezone("UTC")


def window(day: dt.date, deadline: dt.time, read_from: dt.time | None, zone: str) -> Window:
    """The window of a business date.

    :param deadline: wall-clock time in ``zone``
    :param read_from: wall-clock time in ``zone``; none means midnight of the date itself
    """
    tz = timezone(zone)
    begin = read_from if read_from is not None else dt.time(0)
    first = day - dt.timedelta(days=1) if read_from is not None and read_from >= deadline else day
    return Window(
        start=_instant(first, begin, tz),
        deadline=_instant(day, deadline, tz),
        end=_instant(first + dt.timedelta(days=1), begin, tz),
    )
