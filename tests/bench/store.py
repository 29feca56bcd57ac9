"""Postgres: one step beside a growing history, and log rows by many writers."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from airflow_readiness import engine
from airflow_readiness.core.condition import combine, of_source
from airflow_readiness.demo.servers import Postgres, embedded_postgres
from airflow_readiness.store.migrate import upgrade
from airflow_readiness.store.store import Store, open_store
from tests.bench.rows import Row

SOURCES = 1000
CONDITIONS = 1000
WRITERS = 50


@asynccontextmanager
async def database(server: Postgres, name: str) -> AsyncIterator[dict[str, Any]]:
    """A database with the schema."""
    admin = await asyncpg.connect(**server.dsn("postgres"))
    try:
        await admin.execute(f'create database "{name}"')
        dsn: dict[str, Any] = dict(server.dsn(name))
        connection = await asyncpg.connect(**dsn)
        await upgrade(connection)
        await connection.close()
        yield dsn
        await admin.execute(f'drop database "{name}" with (force)')
    finally:
        await admin.close()


async def history(store: Store, rows: int, since: int) -> None:
    """Log rows of past days, from number ``since`` to ``rows``: each source logs, every day."""
    await store.connection.execute(
        "insert into readiness.fm_log (source_database, source_table, business_date, logged_at, load_id) "
        "select 'bench', 's' || n % $1, current_date - 40 - n / $1, now() - (40 + n / $1) * interval '1 day', n "
        "from generate_series($2::bigint, $3::bigint) as n",
        SOURCES,
        since,
        rows,
        timeout=600,
    )
    await store.connection.execute("vacuum analyze readiness.fm_log", timeout=600)


async def night(store: Store) -> None:
    """A thousand sources that nothing is known of today, and as many conditions of 1 to 20 of them."""
    chance = random.Random(1)
    names = [f"bench.s{number}" for number in range(SOURCES)]
    flows = []
    for number in range(CONDITIONS):
        condition = combine("all", [of_source(name) for name in chance.sample(names, chance.randint(1, 20))])
        flows.append(
            {
                "dag_id": f"flow_{number}",
                "condition": condition.text,
                "expression": condition.to_json(),
                "sources": list(condition.sources),
                "paused": False,
                "broken": False,
            }
        )
    await store.connection.execute("update readiness.deployment set default_deadline = '23:59:59'")
    await store.run("upsert_flows", flows)
    await engine.tick(store, everything=True)


async def steps(store: Store, times: int) -> float:
    """The median of a step in which one source has logged, in milliseconds."""
    seconds = []
    for number in range(times):
        await store.connection.execute("select readiness.report_log('bench', $1, current_date)", f"s{number}")
        began = time.perf_counter()
        await engine.tick(store)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1000


async def advance(server: Postgres, quick: bool) -> list[Row]:
    """The cost of a step at 10⁵, 10⁶ and 10⁷ rows of history."""
    sizes = (10_000, 100_000) if quick else (100_000, 1_000_000, 10_000_000)
    costs: list[float] = []
    async with database(server, "bench_advance") as dsn, open_store(dsn) as store:
        await night(store)
        since = 0
        for size in sizes:
            await history(store, size, since)
            since = size + 1
            costs.append(await steps(store, 10 if quick else 30))
    first = f"{sizes[0]:,} rows".replace(",", " ")
    return [
        Row(f"a step, {size:,} rows of history".replace(",", " "), cost, "ms", first, costs[0], 1.3)
        for size, cost in zip(sizes, costs, strict=True)
    ]


async def write(dsn: dict[str, Any], query: str, rows: int) -> float:
    """Rows a second that many writers commit, each in a transaction of its own."""
    day = dt.date(2020, 1, 1)
    writers = [await asyncpg.connect(**dsn) for _ in range(WRITERS)]
    try:
        for writer in writers:
            await writer.fetch(query, "warm", day)

        async def one(writer: asyncpg.Connection, number: int) -> None:
            for _ in range(rows):
                await writer.fetch(query, f"w{number}", day)

        began = time.perf_counter()
        await asyncio.gather(*(one(writer, number) for number, writer in enumerate(writers)))
        return rows * WRITERS / (time.perf_counter() - began)
    finally:
        for writer in writers:
            await writer.close()


async def ingest(server: Postgres, quick: bool) -> list[Row]:
    """``report_log`` by fifty writers, with and without the doorbell, beside a plain INSERT."""
    rows = 20 if quick else 200
    plain = "insert into plain (source_database, source_table, business_date) values ('bench', $1, $2)"
    report = "select readiness.report_log('bench', $1, $2)"
    async with database(server, "bench_ingest") as dsn:
        admin = await asyncpg.connect(**dsn)
        # the same table without its trigger
        await admin.execute("create table plain (like readiness.fm_log including all)")
        beside = await write(dsn, plain, rows)
        rung = await write(dsn, report, rows)
        await admin.execute("update readiness.deployment set doorbell = false")
        silent = await write(dsn, report, rows)
        await admin.close()
    return [
        Row(f"report_log by {WRITERS} writers", rung, "rows/s", "plain INSERT", beside, 0.7, more=True),
        Row("the same without the doorbell", silent, "rows/s", "plain INSERT", beside, 0.7, more=True),
    ]


async def measure(quick: bool) -> list[Row]:
    """All rows about Postgres."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with embedded_postgres(Path(folder) / "postgres") as server:
            return await advance(server, quick) + await ingest(server, quick)
