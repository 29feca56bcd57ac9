"""Values that Postgres holds and nobody else can reckon with: refused by name, or counted for nothing."""

from __future__ import annotations

import datetime as dt

import asyncpg
import pytest

from airflow_readiness import engine
from airflow_readiness.core.names import split_source
from airflow_readiness.errors import BadName
from airflow_readiness.store.store import Store

DAY = dt.date(2026, 11, 20)
NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.timezone.utc)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("'infinity'", "business_date infinity is out of range"),
        ("'-infinity'", "business_date -infinity is out of range"),
        ("'5874897-12-31'", "business_date 5874897-12-31 is out of range"),
        ("'0001-12-31'", "business_date 0001-12-31 is out of range"),
        ("null", "business_date null is out of range"),
        ("'2026-11-20', 'infinity'", "deadline_at infinity is out of range"),
        ("'2026-11-20', '294276-12-31 23:00+00'", "deadline_at 294276-12-31 23:00:00"),
    ],
)
async def test_a_date_that_nobody_can_reckon_with_is_not_expected(
    store: Store, arguments: str, message: str
) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match=message) as caught:
        await store.connection.execute(f"select readiness.expect('hive', 'sales', {arguments})")
    assert "of the years 2 to 9998" in caught.value.hint
    assert await store.connection.fetchval("select count(*) from readiness.processed_log") == 0


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
async def test_the_first_and_the_last_date_stop_no_step_in_any_time_zone(store: Store, zone: str) -> None:
    await store.run("set_deployment", zone, dt.time(0))
    for date in (dt.date(2, 1, 1), dt.date(9998, 12, 31)):
        await store.run("expect", "hive", "sales", date, None)
    result = await engine.tick(store, everything=True, now=NOON)
    assert [known.state.value for known in sorted(result.changed, key=lambda known: known.business_date)] == [
        "missed",
        "waiting",
    ]


@pytest.mark.parametrize("logged_at", ["infinity", "-infinity", "0001-12-31 23:00+00", "9999-01-01 00:00+00"])
async def test_a_log_of_no_time_is_refused(store: Store, logged_at: str) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match="logged_at .* is out of range"):
        await store.connection.execute(
            "select readiness.report_log('hive', 'sales', logged_at => $1::text::timestamptz)", logged_at
        )
    with pytest.raises(asyncpg.CheckViolationError, match="logged_at must be of the years 2 to 9998"):
        await store.connection.execute(
            "insert into readiness.fm_log (source_database, source_table, logged_at)"
            " values ('hive', 'sales', $1::text::timestamptz)",
            logged_at,
        )


@pytest.mark.parametrize(
    ("zone", "kind", "value"),
    [
        ("America/New_York", "timestamp", "294276-12-31 23:59:59"),
        ("Asia/Seoul", "timestamp", "4714-11-24 00:00 BC"),
        ("Asia/Seoul", "timestamptz", "294276-12-31 23:59:59+00"),
        ("America/New_York", "timestamptz", "4714-11-24 00:00+00 BC"),
        ("UTC", "timestamptz", "-infinity"),
    ],
)
@pytest.mark.parametrize("business_date", ["day", "at"])
async def test_a_teams_row_beyond_all_years_stops_nobody(
    store: Store, zone: str, kind: str, value: str, business_date: str
) -> None:
    await store.run("set_deployment", zone, dt.time(6))
    await store.connection.execute(
        f"create schema team; create table team.loads (db text, tab text, at {kind}, day date);"
        "create index on team.loads (db, tab);"
        "select readiness.register_fm_table("
        f"   'team.loads', 'db', 'tab', 'at', business_date => '{business_date}');"
        f"insert into team.loads values ('hive', 'sales', '{value}', '2026-11-20')"
    )
    for table in ("sales", "stores"):
        await store.run("expect", "hive", table, DAY, NOON)
    await store.connection.execute(
        "select readiness.report_log('hive', 'stores', $1, logged_at => $2)", DAY, NOON - dt.timedelta(hours=1)
    )
    result = await engine.tick(store, now=NOON)
    assert {known.source: known.state.value for known in result.changed} == {
        "hive.sales": "missed",
        "hive.stores": "ready",
    }


async def test_a_name_has_255_characters_at_the_most_in_sql_as_in_python(store: Store) -> None:
    longest = "x" * 255
    await store.connection.execute(f"select readiness.report_log('{longest}', '{longest}')")
    await store.connection.execute(
        f"select readiness.set_log_settings('{longest}', '{longest}', 6, 0, null, null, 1)"
    )
    await store.run("expect", longest, longest, DAY, None)
    await engine.tick(store, everything=True, now=NOON)
    split_source(f"{longest}.{longest}")
    with pytest.raises(asyncpg.InvalidParameterValueError, match="is not a name") as caught:
        await store.connection.execute(f"select readiness.report_log('{longest}x', 'y')")
    assert "255" in caught.value.hint
    with pytest.raises(BadName, match="at most 255"):
        split_source(f"{longest}x.y")
