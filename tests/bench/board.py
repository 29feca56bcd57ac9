"""The board's answers at a thousand sources, a thousand flows, and 400 days of history on both sides."""

from __future__ import annotations

import datetime as dt
import os
import statistics
import tempfile
from pathlib import Path
from typing import Final

from airflow_readiness.demo.servers import embedded_postgres
from tests.bench.child import started
from tests.bench.rows import Row

SOURCES: Final = 1000
FLOWS: Final = 1000
DAYS: Final = 400
#: What an answer may take and be: seconds and bytes.
SECONDS: Final = 0.150
BYTES: Final = 500_000


async def measure(quick: bool) -> list[Row]:
    """The slowest of the medians of all screens, and the largest answer."""
    sources, flows, days = (100, 100, 10) if quick else (SOURCES, FLOWS, DAYS)
    today = dt.datetime.now(dt.timezone.utc).date()
    screens = ["today", f"dates/{today - dt.timedelta(days=7)}", "flows/flow_1", "sources/bench.s3", "health"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # where root runs this, Postgres is another user
        os.chmod(folder, 0o755)
        with embedded_postgres(Path(folder) / "postgres") as server:
            arguments = (server.host, server.user, folder)
            async with started("tests.bench.board_server", *arguments, AIRFLOW_HOME=folder) as api:
                await api.ask("fill", sources, flows, days)
                found = await api.ask("answers", screens, 3 if quick else 40)
    rows = []
    scale = f"{sources} sources, {flows} flows, {days} days"
    for path, name in zip(screens, ("tonight", "a week ago", "a flow", "a source", "health"), strict=True):
        seconds = statistics.median(found[path]["seconds"])
        note = f"{scale}; the API server's work for one admin, with what it asks both databases; the median"
        rows.append(Row(f"the board: {name}", seconds, "s", reach=SECONDS, by_ratio=False, note=note))
    largest = max(found.values(), key=lambda each: int(each["bytes"]))["bytes"]
    note = f"{scale}; JSON, before it is compressed for the browser"
    rows.append(Row("the board: the largest answer", largest, "B", reach=BYTES, by_ratio=False, note=note))
    return rows
