"""Postgres: a step of the engine beside a growing history, and log rows by many writers."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from airflow_readiness.demo.servers import embedded_postgres
from tests.bench.ingest import ingest
from tests.bench.rows import Row
from tests.bench.steps import steps


async def measure(quick: bool) -> list[Row]:
    """All rows about Postgres. It is set up as its makers do: it syncs every commit to the disk."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # where root runs this, Postgres is another user
        os.chmod(folder, 0o755)
        with embedded_postgres(Path(folder) / "postgres") as server:
            return await steps(server, quick) + await ingest(server, quick)
