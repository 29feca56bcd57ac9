"""A database with the schema, for one part of the bench."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from airflow_readiness.demo.scenario import noon_timezone
from airflow_readiness.demo.servers import Postgres
from airflow_readiness.store.migrate import upgrade


@asynccontextmanager
async def database(server: Postgres, name: str) -> AsyncIterator[dict[str, Any]]:
    """What ``asyncpg.connect`` takes; dropped at the end. It is about noon there, and no deadline is near."""
    zone = noon_timezone(dt.datetime.now(dt.timezone.utc))
    admin = await asyncpg.connect(**server.dsn("postgres"))
    try:
        await admin.execute(f'create database "{name}"')
        await admin.execute(f"alter database \"{name}\" set timezone = '{zone}'")
        dsn: dict[str, Any] = dict(server.dsn(name))
        connection = await asyncpg.connect(**dsn)
        await upgrade(connection)
        await connection.execute(
            "update readiness.deployment set timezone = $1, default_deadline = '23:00'", zone
        )
        await connection.close()
        yield dsn
        await admin.execute(f'drop database "{name}" with (force)')
    finally:
        await admin.close()
