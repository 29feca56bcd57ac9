"""What an outside database returns, as the values of a log."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, NamedTuple

from airflow_readiness.core.names import PART
from airflow_readiness.errors import BadInput

#: The years that every client can hold, also by another hour.
FIRST: Final = dt.datetime(2, 1, 1, tzinfo=dt.timezone.utc)
LAST: Final = dt.datetime(9998, 12, 31, tzinfo=dt.timezone.utc)
#: Characters of a load id: what an index of Postgres holds beside the names.
LONGEST_ID: Final = 500
#: Beyond it a number of rows is taken for an error, and for unknown.
MOST_ROWS: Final = 10**15
#: A number beyond it is no id that somebody counts up: it stays as it is written.
MOST_DIGITS: Final = 10**28
#: What follows the day, as in 2026-11-20 00:00:00, is a time of that day.
_DAY: Final = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?![0-9])")


class Log(NamedTuple):
    """A row of ``readiness.fm_log``; the instant in UTC."""

    source_database: str
    source_table: str
    business_date: dt.date | None
    logged_at: dt.datetime
    load_id: str
    row_count: int | None


def instant(value: Any, zone: dt.tzinfo, layout: str | None = None) -> dt.datetime:
    """A time of the outside system, in UTC.

    :param zone: of a time that has none
    :param layout: of a time that is text
    :raises BadInput: if it is no time, or not of the years 2 to 9998
    """
    if isinstance(value, str) and layout is not None:
        try:
            value = dt.datetime.strptime(value.strip(), layout)  # noqa: DTZ007
        except ValueError:
            raise BadInput(f"{value!r} is not a time of the format {layout!r}") from None
    if not isinstance(value, dt.datetime):
        raise BadInput(f"{value!r} is not a time")
    try:
        moment = (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(dt.timezone.utc)
    except OverflowError:
        moment = LAST
    if not FIRST <= moment < LAST:
        raise BadInput(f"{value} is not of the years 2 to 9998")
    return moment


def day(value: Any, zone: dt.tzinfo, layout: str | None = None) -> dt.date | None:
    """A business date; none if there is none.

    :param zone: in which an instant has its date
    :raises BadInput: if it is something else
    """
    if value is None:
        return None
    if isinstance(value, dt.datetime):
        return (value.astimezone(zone) if value.tzinfo else value).date()
    if isinstance(value, dt.date):
        return value
    written = str(value).strip()
    try:
        if layout is not None:
            return dt.datetime.strptime(written, layout).date()  # noqa: DTZ007
        if found := _DAY.match(written):
            return dt.date(*map(int, found.groups()))
    except ValueError:
        pass
    raise BadInput(f"{value!r} is not a date of the format {layout or 'YYYY-MM-DD'!r}")


def count(value: Any) -> int | None:
    """A number of rows; what is none is unknown."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if math.isfinite(number) and 0 <= number <= MOST_ROWS else None


def text(value: Any) -> str | None:
    """A name or an id as text; none if there is none.

    A CHAR is padded, and Oracle has but one kind of number: neither shows.

    :raises BadInput: if Postgres cannot hold it
    """
    if value is None:
        return None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (float, Decimal)) and _is_whole(value):
        value = int(value)
    plain = str(value).rstrip()
    if "\0" in plain:
        raise BadInput(f"{plain!r} contains a NUL character")
    return plain or None


def _is_whole(value: float | Decimal) -> bool:
    # no Decimal that is no number: to compare a signalling one is an error
    finite = value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)
    return finite and -MOST_DIGITS < value < MOST_DIGITS and value % 1 == 0


def name(value: Any) -> str:
    """:raises BadInput: if it is not the name of a database or a table"""
    plain = text(value)
    if plain is None or not PART.fullmatch(plain):
        raise BadInput(f"{value!r} is not a name: at most 255 letters, digits, '_', '-' or '$'")
    return plain


def log(row: dict[str, Any], zone: dt.tzinfo, time_format: str | None, date_format: str | None) -> Log:
    """A row of the outside system as a log.

    :param row: by our names; what is not there is null
    :raises BadInput: naming the column and the value
    """

    def of(column: str, convert: Callable[..., Any], *how: Any) -> Any:
        try:
            return convert(row.get(column), *how)
        except BadInput as error:
            raise BadInput(f"{column} {error}") from None

    logged_at = of("logged_at", instant, zone, time_format)
    load_id = of("load_id", text) or logged_at.isoformat()
    if len(load_id) > LONGEST_ID:
        raise BadInput(f"load_id {load_id[:50]!r}… is longer than {LONGEST_ID} characters")
    return Log(
        of("source_database", name),
        of("source_table", name),
        of("business_date", day, zone, date_format),
        logged_at,
        load_id,
        of("row_count", count),
    )
