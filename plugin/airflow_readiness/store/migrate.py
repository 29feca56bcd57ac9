"""Brings the schema of a Postgres up to date."""

from __future__ import annotations

import asyncpg

from airflow_readiness.store import sql
from airflow_readiness.store.store import applied


def script(versions: list[int]) -> str:
    """The SQL of these migrations, as a DBA would run it, each recorded as applied."""
    pieces = []
    for version in versions:
        name = sql.migrations()[version]
        record = f"insert into readiness.migration (version, name) values ({version}, '{name}');"
        pieces.append(f"-- {name}\n{sql.read(f'migrations/{name}')}\n{record}\n")
    return "\n".join(pieces)


async def upgrade(connection: asyncpg.Connection) -> list[str]:
    """Apply what is missing, in one transaction. Returns the names of what was applied.

    Two at a time wait for each other.
    """
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(7303, 4)")
        have = await applied(connection)
        missing = [version for version in sql.migrations() if version not in have]
        if missing:
            await connection.execute(script(missing))
    return [sql.migrations()[version] for version in missing]
