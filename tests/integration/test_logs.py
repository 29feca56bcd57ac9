"""The default fm table: by function or by plain INSERT, with defaults, bad rows refused with a sentence."""

from __future__ import annotations

import datetime as dt
from typing import Any

import asyncpg
import pytest

from airflow_readiness.store.store import Store

DAY = dt.date(2026, 11, 20)


async def test_a_log_needs_no_more_than_the_name_of_its_source(store: Store, dsn: dict[str, Any]) -> None:
    before = await store.connection.fetchval("select clock_timestamp()")
    load_id = await store.connection.fetchval("select readiness.report_log('hive', 'sales')")
    await store.connection.execute(
        "insert into readiness.fm_log (source_database, source_table) values ('a', 'b')"
    )
    after = await store.connection.fetchval("select clock_timestamp()")
    called, inserted = await store.connection.fetch("select * from readiness.fm_log order by logged_at")
    assert called["load_id"] == load_id
    assert inserted["load_id"] not in ("", load_id)
    for row in (called, inserted):
        assert before < row["logged_at"] < after
        assert row["reported_by"] == dsn["user"]
        assert (row["business_date"], row["row_count"]) == (None, None)


async def test_what_is_reported_is_kept_and_shown_in_source_log(store: Store) -> None:
    at = dt.datetime(2026, 11, 20, 3, 4, 5, 6, dt.timezone.utc)
    await store.connection.execute(
        "select readiness.report_log('hive', 'sales', $1, 12, 'load-1', $2)", DAY, at
    )
    (row,) = await store.connection.fetch("select * from readiness.source_log")
    assert dict(row) == {
        "fm_table": "readiness.fm_log",
        "source_database": "hive",
        "source_table": "sales",
        "business_date": DAY,
        "logged_at": at,
        "load_id": "load-1",
        "row_count": 12,
    }


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ("'hive.sales', 'x'", "database 'hive.sales' is not a name", "argument of its own"),
        ("'hive', ''", "table '' is not a name", "Use letters"),
        ("'hive', null", "table null is not a name", "Use letters"),
        ("'hive', 'sales', row_count => -1", "row_count -1 is negative", "number of rows loaded"),
        ("'hive', 'sales', load_id => ''", "load_id is empty", "null for a new one"),
    ],
)
async def test_a_bad_report_is_refused_with_its_value_and_a_hint(
    store: Store, arguments: str, message: str, hint: str
) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match=message) as caught:
        await store.connection.execute(f"select readiness.report_log({arguments})")
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("'hive.sales', 'x', 'l', 1", "source_database must be letters"),
        ("'hive', 'sa les', 'l', 1", "source_table must be letters"),
        ("'hive', 'sales', '', 1", "load_id must not be empty"),
        ("'hive', 'sales', 'l', -1", "row_count must not be negative"),
    ],
)
async def test_a_bad_plain_insert_is_refused_by_a_constraint_that_says_why(
    store: Store, values: str, message: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match=message):
        await store.connection.execute(
            "insert into readiness.fm_log (source_database, source_table, load_id, row_count) "
            f"values ({values})"
        )


async def test_a_load_reported_twice_is_accepted_and_counted_once(store: Store) -> None:
    await store.connection.execute("select readiness.set_log_settings('hive', 'sales', 6, 0, null, null, 2)")
    at = dt.datetime(2026, 11, 20, 3, tzinfo=dt.timezone.utc)
    for minute, load_id in ((0, "same"), (5, "same"), (10, "other")):
        await store.connection.execute(
            "select readiness.report_log('hive', 'sales', $1, 10, $2, $3)",
            DAY,
            load_id,
            at + dt.timedelta(minutes=minute),
        )
        rows = await store.fetch("advance", at + dt.timedelta(minutes=minute))
    (row,) = rows
    assert (row["state"], row["log_count"]) == ("ready", 2)
    assert row["ready_at"] == at + dt.timedelta(minutes=10)
    (kept,) = await store.connection.fetch("select logs, row_count from readiness.processed_log")
    assert [log["load_id"] for log in kept["logs"]] == ["same", "other"]
    assert kept["row_count"] == 20


async def test_row_counts_beyond_all_bounds_stop_nothing(store: Store) -> None:
    at = dt.datetime(2026, 11, 20, 3, tzinfo=dt.timezone.utc)
    await store.connection.execute("select readiness.set_log_settings('hive', 'sales', 6, 0, null, null, 2)")
    for _ in range(2):
        await store.connection.execute(
            "select readiness.report_log('hive', 'sales', null, 9223372036854775807, null, $1)", at
        )
    assert [row["state"] for row in await store.fetch("advance", at)] == ["ready"]
