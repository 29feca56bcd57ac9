"""Log rows by fifty writers at once, with and without the doorbell, beside a plain INSERT."""

from __future__ import annotations

import asyncio
import re
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg

from airflow_readiness.config import Config, Endpoints
from airflow_readiness.demo.servers import Postgres, embedded_redis, free_port
from airflow_readiness_triggers.processor import Processor
from airflow_readiness_triggers.tasks import stop
from tests.bench.databases import database
from tests.bench.rows import Row

WRITERS: Final = 50
_PLAIN: Final = (
    "insert into plain (source_database, source_table, business_date) "
    "values ('bench', 'w' || :client_id, date '2020-01-01');"
)
_REPORT: Final = "select readiness.report_log('bench', 'w' || :client_id, date '2020-01-01');"
_NOTE: Final = (
    "by pgbench, each row in a transaction of its own that is synced to the disk; the processor is at work. "
    "The plain table has the same columns, defaults, checks and indexes, and no trigger"
)


async def ingest(server: Postgres, quick: bool) -> list[Row]:
    """Rounds in turn; medians of the rows a second."""
    seconds, rounds = (1, 1) if quick else (2, 3)
    found: dict[str, list[float]] = {"plain": [], "rung": [], "silent": []}
    async with database(server, "bench_ingest") as dsn, _processor(dsn):
        admin = await asyncpg.connect(**dsn)
        # the same table without its trigger
        await admin.execute("create table plain (like readiness.fm_log including all)")
        for _ in range(rounds):
            for name, times in found.items():
                await admin.execute("update readiness.deployment set doorbell = $1", name != "silent")
                times.append(await _rate(server, dsn, _PLAIN if name == "plain" else _REPORT, seconds))
        await admin.close()
    median = {name: statistics.median(each) for name, each in found.items()}
    beside = "plain INSERT", median["plain"], 0.7
    return [
        Row(f"report_log by {WRITERS} writers", median["rung"], "rows/s", *beside, more=True, note=_NOTE),
        Row("the same without the doorbell", median["silent"], "rows/s", *beside, more=True),
    ]


@asynccontextmanager
async def _processor(dsn: dict[str, Any]) -> AsyncIterator[None]:
    """At work beside the writers: it is the one who is rung."""
    port = free_port()
    connection = await asyncpg.connect(**dsn)
    row = await connection.fetchrow("select timezone, default_deadline from readiness.deployment")
    await connection.close()
    settings = Config("", "", row["timezone"], row["default_deadline"], 100, 3600, 2)
    with tempfile.TemporaryDirectory() as folder, embedded_redis(Path(folder), port):
        endpoints = Endpoints(dsn, {"host": "127.0.0.1", "port": port})
        task = asyncio.create_task(Processor(settings, endpoints).serve())
        try:
            await asyncio.sleep(1)
            yield
            assert not task.done(), task
        finally:
            await stop(task)


async def _rate(server: Postgres, dsn: dict[str, Any], script: str, seconds: int) -> float:
    """Transactions a second."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        process = await asyncio.create_subprocess_exec(
            str(server.program("pgbench")),
            *("--no-vacuum", "--client", str(WRITERS), "--jobs", "1", "--protocol", "prepared"),
            *("--time", str(seconds), "--file", file.name, "--host", dsn["host"], "--username", dsn["user"]),
            dsn["database"],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await process.communicate()
    tps = re.search(r"^tps = ([\d.]+)", out.decode(), re.MULTILINE)
    if process.returncode or tps is None:
        raise RuntimeError(f"pgbench failed: {error.decode()}")
    return float(tps[1])
