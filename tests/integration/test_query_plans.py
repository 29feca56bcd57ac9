"""However much history there is: what is asked again and again is asked by index.

Not the plans are looked at but what was done: Postgres counts, for each table and index, the scans of this
transaction, those inside functions among them. So the test holds for every plan that serves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from airflow_readiness import engine
from airflow_readiness.core.condition import combine, of_source
from airflow_readiness.demo.servers import Postgres
from airflow_readiness.store.migrate import upgrade
from airflow_readiness.store.store import Store, open_store
from tests.history import live_through
from tests.integration.scans import Scans, scans_of

SOURCES = 200
FLOWS = 100
DAYS = 200
NOW, TODAY = "now", "today, twice"
#: Each query, its arguments, and the indexes without which it would read a whole table.
QUERIES: list[tuple[str, list[Any], list[str]]] = [
    ("advance", [NOW], ["fm_log_dated", "fm_log_undated", "processed_log_unmet", "processed_log_pkey"]),
    ("next_wake", [NOW], ["processed_log_unmet"]),
    ("open_pairs", [NOW], ["processed_log_day", "processed_log_source", "launch_pkey"]),
    ("touched_pairs", [["bench.s1", "bench.s2"], TODAY], ["launch_pkey"]),
    ("states", [["bench.s1", "bench.s2"], TODAY], ["processed_log_source"]),
    ("snapshot_states", [], ["processed_log_kept"]),
    ("snapshot_launches", [], ["launch_outbox"]),
    ("outbox", [100], ["launch_outbox"]),
    ("next_deadline", [], ["processed_log_unmet"]),
    ("lineage", [100, []], ["processed_log_event"]),
    ("sources_today", [], ["processed_log_day"]),
    ("runs_wanted", [], ["launch_pkey", "launch_run_pkey"]),
    ("runs_wanted_lately", [NOW], ["launch_published", "launch_run_missing"]),
    ("repairs", [20], ["launch_run_missing"]),
    ("late_reruns", [NOW], ["processed_log_rerun"]),
    ("touched_reruns", [["bench.s1", "bench.s2"], TODAY], ["processed_log_rerun"]),
    ("reruns", [20], []),
    ("failures", [20], ["launch_failed"]),
    ("troubles", [], ["launch_outbox", "launch_run_missing", "processed_log_unmet"]),
]
#: Those of these that a table cannot be without.
KEYS = {"launch_pkey": "launch", "launch_run_pkey": "launch_run", "processed_log_pkey": "processed_log"}


def serve(done: Scans, indexes: list[str]) -> bool:
    """Whether no table is read whole, these are used, and some rows of each source or flow are looked at.

    There are 200 000, 40 000 and twice 20 000.
    """
    whole = any(done.whole.values())
    return not whole and set(indexes) <= set(done.by_index) and done.entries <= 10 * SOURCES + 70 * FLOWS


@pytest.fixture(scope="module")
def aged(postgres: Postgres) -> Iterator[dict[str, Any]]:
    """A database that has been at work for two hundred days."""
    dsn = dict(postgres.dsn("aged"))

    async def make() -> None:
        admin = await asyncpg.connect(**postgres.dsn("postgres"))
        await admin.execute("create database aged")
        await admin.close()
        connection = await asyncpg.connect(**dsn)
        await upgrade(connection)
        await connection.close()
        async with open_store(dsn) as store:
            await store.connection.execute("update readiness.deployment set default_deadline = '23:59:59'")
            await store.run("upsert_flows", [flow(number) for number in range(FLOWS)])
            await store.connection.execute(
                "update readiness.flow set first_date = current_date - $1::int", DAYS
            )
            await live_through(store.connection, DAYS, SOURCES, 5)
            await engine.tick(store, everything=True)
            await store.connection.execute("analyze")

    async def drop() -> None:
        admin = await asyncpg.connect(**postgres.dsn("postgres"))
        await admin.execute("drop database aged with (force)")
        await admin.close()

    asyncio.run(make())
    yield dsn
    asyncio.run(drop())


def flow(number: int) -> dict[str, Any]:
    names = [f"bench.s{each % SOURCES}" for each in range(number * 2, number * 2 + 7) if each % 10]
    condition = combine("all", [of_source(name) for name in names])
    return {
        "dag_id": f"flow_{number}",
        "condition": condition.text,
        "expression": condition.to_json(),
        "sources": list(condition.sources),
        "paused": False,
        "broken": False,
    }


@pytest_asyncio.fixture
async def undone(aged: dict[str, Any]) -> AsyncIterator[Store]:
    """The aged database, in a transaction that leaves nothing behind."""
    async with open_store(aged) as store:
        transaction = store.connection.transaction()
        await transaction.start()
        yield store
        await transaction.rollback()


async def scans(store: Store, name: str, arguments: list[Any]) -> Scans:
    """Run a query; what it did."""
    now = await engine.clock(store)
    known = {NOW: now, TODAY: [now.date()] * 2}
    given = [known[each] if isinstance(each, str) else each for each in arguments]
    return await scans_of(store, store.fetch(name, *given))


@pytest.mark.parametrize(("name", "arguments", "indexes"), QUERIES, ids=[name for name, _, _ in QUERIES])
async def test_it_reads_no_table_whole_and_uses_these_indexes(
    undone: Store, name: str, arguments: list[Any], indexes: list[str]
) -> None:
    done = await scans(undone, name, arguments)
    assert serve(done, indexes), done


@pytest.mark.parametrize(
    ("name", "arguments", "index"),
    [(name, arguments, index) for name, arguments, indexes in QUERIES for index in indexes],
    ids=[f"{name}-{index}" for name, _, indexes in QUERIES for index in indexes],
)
async def test_without_one_of_these_indexes_that_would_fail(
    undone: Store, name: str, arguments: list[Any], index: str
) -> None:
    if index in KEYS:
        await undone.connection.execute(f"alter table readiness.{KEYS[index]} drop constraint {index}")
    else:
        await undone.connection.execute(f"drop index readiness.{index}")
    try:
        done = await scans(undone, name, arguments)
    except asyncpg.UndefinedObjectError:
        # advance() names the key that it inserts by
        assert index == "processed_log_pkey"
    else:
        assert not serve(done, [index]), done
