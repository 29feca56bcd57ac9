"""What is a business date, and what is none."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_readiness.core.dates import business_date, parse_date, timezone
from airflow_readiness.errors import BadDate, BadInput

BERLIN = "Europe/Berlin"
DAY = dt.date(2026, 11, 22)


@given(st.dates())
def test_every_calendar_day_is_read_as_it_is_written(day: dt.date) -> None:
    assert parse_date(day.isoformat()) == day
    assert parse_date(day) == day


@given(st.text("0123456789-W/T ", max_size=12) | st.text(max_size=12))
@example("2026-W01-1")
@example("2026-02-30")
@example("2026-1-01")
@example("20261122")
@example("2026-11-22\n")
@example("２０２６-11-22")
def test_any_other_text_is_no_business_date(text: str) -> None:
    try:
        day = parse_date(text)
    except BadDate as error:
        assert repr(text) in str(error)
        assert "YYYY-MM-DD" in str(error)
    else:
        assert text == day.isoformat()


@pytest.mark.parametrize(
    "value", [None, 20261122, b"2026-11-22", dt.datetime(2026, 11, 22, tzinfo=dt.timezone.utc)]
)
def test_what_is_neither_a_text_nor_a_day_is_no_business_date(value: object) -> None:
    with pytest.raises(BadDate, match="YYYY-MM-DD"):
        parse_date(value)


@pytest.mark.parametrize("value", [DAY, "2026-11-22"])
def test_a_day_stands_for_itself_in_every_zone(value: object) -> None:
    assert business_date(value, "Pacific/Apia") == business_date(value, "America/New_York") == DAY


@pytest.mark.parametrize(
    ("value", "zone", "expected"),
    [
        ("2026-11-21T23:30:00+00:00", BERLIN, DAY),
        ("2026-11-21T23:30:00Z", BERLIN, DAY),
        ("2026-11-21T22:59:59.999999Z", BERLIN, dt.date(2026, 11, 21)),
        ("2026-11-23T04:59:00+00:00", "America/New_York", DAY),
        (dt.datetime(2026, 11, 21, 23, 30, tzinfo=dt.timezone.utc), BERLIN, DAY),
        (dt.datetime(2026, 11, 21, 23, 30, tzinfo=dt.timezone.utc), "UTC", dt.date(2026, 11, 21)),
    ],
)
def test_an_instant_stands_for_its_day_in_the_zone(value: object, zone: str, expected: dt.date) -> None:
    assert business_date(value, zone) == expected


@pytest.mark.parametrize(
    "value",
    [dt.datetime(2026, 11, 22), "2026-11-22T00:00:00", "2026-11-22 06:00"],  # noqa: DTZ001
)
def test_an_instant_without_an_offset_is_refused(value: object) -> None:
    with pytest.raises(BadDate, match="has no time zone"):
        business_date(value, BERLIN)


@pytest.mark.parametrize("value", ["", "yesterday", "scheduled__2026-11-22", None, 5])
def test_what_is_neither_a_day_nor_an_instant_is_refused(value: object) -> None:
    with pytest.raises(BadDate, match="YYYY-MM-DD"):
        business_date(value, BERLIN)


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_an_instant_beyond_the_calendar_is_refused(value: str) -> None:
    with pytest.raises(BadDate, match="out of range"):
        business_date(value, "UTC")


@pytest.mark.parametrize("name", ["", "Mars/Base", "Europe", "../../etc/passwd", "+02:00", "a\0b"])
def test_a_name_that_is_no_time_zone_is_told_with_the_option_to_set(name: str) -> None:
    with pytest.raises(BadInput) as caught:
        timezone(name)
    assert repr(name) in str(caught.value)
    assert "[readiness] timezone" in str(caught.value)


def test_a_bad_zone_is_not_taken_for_a_bad_instant() -> None:
    with pytest.raises(BadInput, match="'Mars/Base' is not a time zone"):
        business_date("2026-11-22T06:00:00Z", "Mars/Base")
