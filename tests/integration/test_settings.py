"""Settings at release: seven arguments in a fixed order, versioned, bad ones refused with a sentence."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import asyncpg
import pytest

from airflow_readiness.store.store import Store

CALL = "select readiness.set_log_settings($1, $2, $3, $4, $5, $6, $7)"
GOOD: tuple[Any, ...] = ("hive", "sales", 6, 30, 20, 15, 3)


async def test_seven_positional_arguments_are_kept_in_this_order(store: Store) -> None:
    setting_id = await store.connection.fetchval(
        "select readiness.set_log_settings('hive', 'sales', 6, 30, 20, 15, 3)"
    )
    (row,) = await store.connection.fetch("select * from readiness.log_setting")
    assert row["setting_id"] == setting_id
    assert (row["source_database"], row["source_table"]) == ("hive", "sales")
    assert (row["deadline"], row["read_from"], row["log_count"]) == (dt.time(6, 30), dt.time(20, 15), 3)
    assert row["valid_to"] is None


async def test_settings_that_are_superseded_are_kept_with_their_time_and_author(
    store: Store, dsn: dict[str, Any]
) -> None:
    await store.connection.execute(CALL, *GOOD)
    await store.connection.execute(CALL, "hive", "sales", 7, 0, None, None, 1)
    old, new = await store.connection.fetch("select * from readiness.log_setting order by setting_id")
    assert (old["deadline"], new["deadline"]) == (dt.time(6, 30), dt.time(7))
    assert old["valid_from"] < old["valid_to"] == new["valid_from"]
    assert new["valid_to"] is None
    assert {old["set_by"], new["set_by"]} == {dsn["user"]}


async def test_a_source_of_the_same_table_name_in_another_database_keeps_its_settings(store: Store) -> None:
    await store.connection.execute(CALL, *GOOD)
    await store.connection.execute(CALL, "ora", *GOOD[1:])
    assert (
        await store.connection.fetchval("select count(*) from readiness.log_setting where valid_to is null")
        == 2
    )


async def test_a_read_from_without_a_minute_is_on_the_hour_and_without_an_hour_is_none(store: Store) -> None:
    await store.connection.execute(CALL, "hive", "sales", 6, None, 20, None, 1)
    await store.connection.execute(CALL, "hive", "rates", 6, 0, None, None, 1)
    rows = await store.connection.fetch(
        "select deadline, read_from from readiness.log_setting order by setting_id"
    )
    assert [tuple(row) for row in rows] == [(dt.time(6), dt.time(20)), (dt.time(6), None)]


async def test_of_many_calls_at_once_exactly_one_is_in_force(store: Store, dsn: dict[str, Any]) -> None:
    async with asyncpg.create_pool(**dsn, min_size=8, max_size=8) as pool:
        await asyncio.gather(
            *(pool.execute(CALL, "hive", "sales", 6, minute, None, None, 1) for minute in range(40))
        )
    rows = await store.connection.fetch(
        "select valid_from, valid_to from readiness.log_setting order by valid_from"
    )
    assert len(rows) == 40
    # one after the other, without a gap and without an overlap
    assert [row["valid_to"] for row in rows] == [*(row["valid_from"] for row in rows[1:]), None]


@pytest.mark.parametrize(
    ("place", "value", "message", "hint"),
    [
        (0, "", "database '' is not a name", "Use letters"),
        (0, None, "database null is not a name", "Use letters"),
        (0, "hive.sales", "database 'hive.sales' is not a name", "the table is an argument of its own"),
        (1, "", "table '' is not a name", "Use letters"),
        (1, None, "table null is not a name", "Use letters"),
        (1, "sales.x", "table 'sales.x' is not a name", "Use letters"),
        (1, "sales\n", "is not a name", "Use letters"),
        (2, 24, "deadline hour 24 is not an hour", "from 0 to 23"),
        (2, -1, "deadline hour -1 is not an hour", "from 0 to 23"),
        (2, None, "deadline hour null is not an hour", "from 0 to 23"),
        (3, 60, "deadline minute 60 is not a minute", "from 0 to 59"),
        (4, 24, "read_from hour 24 is not an hour", "from 0 to 23"),
        (4, None, "read_from hour null is not an hour", "from 0 to 23"),
        (5, -1, "read_from minute -1 is not a minute", "from 0 to 59"),
        (6, 0, "log_count 0 is below 1", "number of log rows"),
        (6, None, "log_count null is below 1", "number of log rows"),
    ],
)
async def test_a_bad_argument_is_refused_with_its_value_and_a_hint(
    store: Store, place: int, value: object, message: str, hint: str
) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match=message) as caught:
        await store.connection.execute(CALL, *GOOD[:place], value, *GOOD[place + 1 :])
    assert hint in caught.value.hint
    assert await store.connection.fetchval("select count(*) from readiness.log_setting") == 0


async def test_a_source_without_a_deadline_is_refused_by_its_name(store: Store) -> None:
    with pytest.raises(
        asyncpg.InvalidParameterValueError, match="the deadline of hive.sales is null"
    ) as caught:
        await store.connection.execute(CALL, "hive", "sales", None, None, None, None, 1)
    assert "start without this source" in caught.value.hint
