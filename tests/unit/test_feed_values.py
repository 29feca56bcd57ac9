"""What outside databases return, as the values of a log."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_readiness.errors import BadInput
from airflow_readiness.feeds import values
from airflow_readiness.feeds.values import Log

UTC = dt.timezone.utc
TOKYO, BERLIN = pendulum.timezone("Asia/Tokyo"), pendulum.timezone("Europe/Berlin")
ROW = {
    "source_database": "hive",
    "source_table": "sales",
    "logged_at": dt.datetime(2026, 11, 20, 3, tzinfo=UTC),
}


def wall(text: str) -> dt.datetime:
    """A time without a zone."""
    return dt.datetime.fromisoformat(text)


def log(**row: Any) -> Log:
    return values.log({**ROW, **row}, TOKYO, None, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (wall("2026-11-20T03:00"), dt.datetime(2026, 11, 19, 18, tzinfo=UTC)),
        (dt.datetime(2026, 11, 20, 3, tzinfo=BERLIN), dt.datetime(2026, 11, 20, 2, tzinfo=UTC)),
    ],
)
def test_a_time_is_an_instant_in_utc(value: dt.datetime, expected: dt.datetime) -> None:
    assert values.instant(value, TOKYO) == expected
    assert values.instant(value, TOKYO).tzinfo is UTC


def test_a_time_as_text_is_read_by_its_format() -> None:
    assert values.instant(" 20261120 03 ", TOKYO, "%Y%m%d %H") == dt.datetime(2026, 11, 19, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "layout", "message"),
    [
        (None, None, "None is not a time"),
        (1763600000, None, "1763600000 is not a time"),
        (dt.date(2026, 11, 20), None, r"datetime.date\(2026, 11, 20\) is not a time"),
        ("2026-11-20 03:00", None, "'2026-11-20 03:00' is not a time"),
        ("20.11.", "%Y", "'20.11.' is not a time of the format '%Y'"),
        (wall("0001-01-01"), None, "0001-01-01 00:00:00 is not of the years 2 to 9998"),
        (wall("9999-12-31T23:59"), None, "not of the years 2 to 9998"),
    ],
)
def test_what_is_no_time_is_named(value: Any, layout: str | None, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        values.instant(value, TOKYO, layout)


@pytest.mark.parametrize(
    ("value", "layout"),
    [
        (dt.date(2026, 11, 20), None),
        (wall("2026-11-20T23:59"), None),
        (dt.datetime(2026, 11, 19, 15, tzinfo=UTC), None),
        ("2026-11-20", None),
        (" 20261120 ", None),
        (20261120, None),
        ("2026-11-20 00:00:00", None),
        ("2026-11-20T00:00:00Z", None),
        ("20.11.26", "%d.%m.%y"),
    ],
)
def test_a_business_date_may_be_written_in_many_ways(value: Any, layout: str | None) -> None:
    assert values.day(value, TOKYO, layout) == dt.date(2026, 11, 20)


@pytest.mark.parametrize(
    "value", ["", "rubbish", "2026-13-45", "today", "infinity", "20.11.2026", "202611201", 7]
)
def test_what_is_no_date_is_named(value: Any) -> None:
    with pytest.raises(BadInput, match=r"is not a date of the format 'YYYY-MM-DD'"):
        values.day(value, TOKYO)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, "7"),
        (7.0, "7"),
        (Decimal("7"), "7"),
        (Decimal("7.50"), "7.50"),
        (float("nan"), "nan"),
        (Decimal("Infinity"), "Infinity"),
        (" a ", " a"),
        (b"\x00\xff", "00ff"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_an_id_is_text(value: Any, expected: str) -> None:
    assert log(load_id=value).load_id == expected


@pytest.mark.parametrize("value", [None, "", "  "])
def test_without_an_id_each_time_is_a_load_of_its_own(value: Any) -> None:
    assert log(load_id=value).load_id == "2026-11-20T03:00:00+00:00"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12, 12),
        (12.9, 12),
        ("12", 12),
        ("1e3", 1000),
        (Decimal("12"), 12),
        (None, None),
        (-1, None),
        (float("nan"), None),
        (1e30, None),
        ("many", None),
        (b"12", 12),
    ],
)
def test_a_number_of_rows_that_is_none_is_unknown(value: Any, expected: int | None) -> None:
    assert values.count(value) == expected


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"source_database": None}, "source_database None is not a name"),
        ({"source_table": "a.b"}, "source_table 'a.b' is not a name"),
        ({"source_table": "x" * 256}, "source_table 'xx.* is not a name"),
        ({"logged_at": "now"}, "logged_at 'now' is not a time"),
        ({"business_date": "soon"}, "business_date 'soon' is not a date"),
        ({"load_id": "x" * 501}, "load_id 'x{50}'… is longer than 500 characters"),
        ({"load_id": "a\0b"}, r"load_id 'a\\x00b' contains a NUL character"),
    ],
)
def test_a_row_that_cannot_be_used_names_column_and_value(row: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        log(**row)


def test_a_padded_name_is_the_name() -> None:
    assert log(source_table="sales     ").source_table == "sales"


ANYTHING = st.one_of(
    st.none(),
    st.text(),
    st.binary(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.booleans(),
    st.lists(st.integers()),
)


@given(st.dictionaries(st.sampled_from(Log._fields), ANYTHING), st.sampled_from([None, "%Y-%m-%d %H:%M"]))
def test_whatever_comes_is_a_log_that_postgres_can_hold_or_is_refused(row: dict[str, Any], layout: str) -> None:
    try:
        found = values.log({**ROW, **row}, BERLIN, layout, layout)
    except BadInput:
        return
    assert values.FIRST <= found.logged_at < values.LAST
    assert 0 < len(found.load_id) <= 500
    assert "\0" not in found.load_id
    assert found.row_count is None or 0 <= found.row_count < 2**63
