"""The settings of a source: the seven, and the named ones beside them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from airflow_readiness.core.dates import parse_date
from airflow_readiness.errors import BadDate, BadInput

#: What happens once a source is ready that was missed: nothing, or its flows are started again.
ON_LATE: Final = ("ignore", "rerun")
#: What becomes of a launch that would go without a source: it is made, skipped, or fails.
ON_DEADLINE: Final = ("run", "skip", "fail")
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: Every day is a day on which a source is due.
DAILY: Final = "daily"

_WEEKDAY: Final = "|".join(WEEKDAYS)
_RANGE: Final = re.compile(rf"({_WEEKDAY})-({_WEEKDAY})")


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What holds for a source. Times are wall-clock times of the deployment."""

    source: str
    deadline: dt.time
    #: from when on its logs are read; none: midnight
    read_from: dt.time | None = None
    #: log rows that make it ready
    log_count: int = 1
    on_late: str = "ignore"
    on_deadline: str = "run"
    #: weekdays and dates on which it is due; empty: every day
    calendar: tuple[str, ...] = ()
    owner: str = ""
    description: str = ""


def parse_calendar(value: str | Iterable[str]) -> tuple[str, ...]:
    """``"mon-fri"``, ``"mon, 2026-12-26"``, or a list of such → the days, in order; ``"daily"`` → none.

    ``readiness.parse_calendar`` in ``schema.sql`` is the same in SQL.

    :raises BadInput: if a part is neither a weekday, a range of them nor a date
    """
    texts = [value] if isinstance(value, str) else list(value)
    parts = [part for text in texts for part in re.split(r"[,\s]+", text.strip().lower()) if part]
    if parts == [DAILY]:
        return ()
    if not parts:
        raise BadInput(f"{value!r} names no day: write 'mon-fri', '2026-12-26', or 'daily'")
    days: set[str] = set()
    for part in parts:
        days.update(_days(part))
    return (*(day for day in WEEKDAYS if day in days), *sorted(days - {*WEEKDAYS}))


def _days(part: str) -> list[str]:
    if part in WEEKDAYS:
        return [part]
    if found := _RANGE.fullmatch(part):
        first, last = (WEEKDAYS.index(day) for day in found.groups())
        return [WEEKDAYS[(first + ahead) % 7] for ahead in range((last - first) % 7 + 1)]
    try:
        return [parse_date(part).isoformat()]
    except BadDate:
        raise BadInput(
            f"{part!r} is no day of a calendar: write 'mon' to 'sun', 'mon-fri', a date YYYY-MM-DD, or 'daily'"
        ) from None


def calendar_text(days: Iterable[str]) -> str:
    """The days as :func:`parse_calendar` reads them back."""
    return ",".join(days) or DAILY
