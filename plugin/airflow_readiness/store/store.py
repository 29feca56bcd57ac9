"""Runs the named queries on one asyncpg connection."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import asyncpg

from airflow_readiness.core.document import load_by_hand
from airflow_readiness.core.state import OnDeadline, Readiness, State
from airflow_readiness.errors import ReadinessError, SchemaMissing
from airflow_readiness.store import sql

#: Seconds after which a connection attempt, or a query, is given up.
CONNECT_TIMEOUT: Final = 5.0
QUERY_TIMEOUT: Final = 15.0
#: The same of the first step on a connection, which may have a month to catch up with.
CATCH_UP: Final = 120.0
#: The same of what costs nothing: who waits longer for it waits for a server that hangs.
CHEAP_TIMEOUT: Final = 5.0
#: What works through much that is old, and delays nobody.
_LONG: Final = frozenset({"prunable", "prune"})
_CHEAP: Final = frozenset(
    {"beat", "clock", "deployment", "lineage", "next_deadline", "outbox", "ring_registrar", "snapshot_launches"}
)

#: What a Postgres raises that is lost, refusing, overloaded or not prepared.
POSTGRES_DOWN: Final = (
    OSError,
    TimeoutError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    # a session that is terminated between two messages confuses asyncpg's own state
    asyncpg.InternalClientError,
    asyncpg.PostgresError,
    ReadinessError,
)

#: What it raises when a session was ended that had worked.
LOST: Final = (
    ConnectionError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
)

Row: TypeAlias = Mapping[str, Any]


class Store:
    """The readiness schema behind one connection that somebody else owns."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self._caught_up = False

    def _timeout(self, name: str) -> float:
        if name in _LONG or (name == "advance" and not self._caught_up):
            return CATCH_UP
        return CHEAP_TIMEOUT if name in _CHEAP else QUERY_TIMEOUT

    async def fetch(self, name: str, *args: Any) -> list[Row]:
        """The rows of a named query."""
        rows: list[Row] = await self.connection.fetch(sql.queries()[name], *args, timeout=self._timeout(name))
        self._caught_up = self._caught_up or name == "advance"
        return rows

    async def run(self, name: str, *args: Any) -> None:
        """A named query whose rows nobody wants."""
        await self.connection.execute(sql.queries()[name], *args, timeout=self._timeout(name))

    async def fetch_pairs(self, name: str, pairs: Iterable[tuple[str, dt.date]], *args: Any) -> list[Row]:
        """The rows of a query whose first two parameters are arrays of (name, date)."""
        names, dates = _columns(pairs)
        return await self.fetch(name, names, dates, *args)

    async def run_pairs(self, name: str, pairs: Iterable[tuple[str, dt.date]]) -> None:
        """The same, whose rows nobody wants."""
        names, dates = _columns(pairs)
        if names:
            await self.run(name, names, dates)

    async def ring_on(self, listener: Callable[[str], None], channel: str = "readiness") -> None:
        """LISTEN; ``listener`` gets each payload. Lasts as long as the connection."""
        await self.connection.add_listener(channel, lambda _c, _pid, _ch, payload: listener(str(payload)))

    async def ring(self, payload: str) -> None:
        """NOTIFY, as the self-test of the doorbell does."""
        await self.connection.execute("select pg_notify('readiness', $1)", payload)


def _columns(pairs: Iterable[tuple[str, dt.date]]) -> tuple[list[str], list[dt.date]]:
    listed = list(pairs)
    return [name for name, _ in listed], [day for _, day in listed]


def readiness_of(row: Row) -> Readiness:
    """A row of ``advance``, ``states`` or ``snapshot_states`` as a :class:`Readiness`."""
    return Readiness(
        source=row["source"],
        business_date=row["business_date"],
        state=State(row["state"]),
        deadline_at=row["deadline_at"],
        log_count=row["log_count"],
        needed=row["needed"],
        ready_at=row["ready_at"],
        configured=row["configured"],
        by_hand=load_by_hand(row.get("by_hand")),
        on_deadline=OnDeadline(row.get("on_deadline", "run")),
    )


async def prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


@asynccontextmanager
async def open_store(dsn: dict[str, Any], *, check: bool = True) -> AsyncIterator[Store]:
    """A store on a connection of its own, closed at the end.

    :param dsn: what ``asyncpg.connect`` takes: host, port, user, password, database, ssl
    :param check: whether the schema must be there and of this version
    :raises SchemaMissing: if it is not
    """
    connection = await asyncpg.connect(
        **dsn,
        timeout=CONNECT_TIMEOUT,
        command_timeout=QUERY_TIMEOUT,
        server_settings={"application_name": "airflow-readiness"},
        # behind a pooler in transaction mode a prepared statement may be another session's
        statement_cache_size=0,
    )
    try:
        await prepare(connection)
        if check:
            await check_schema(connection)
        yield Store(connection)
    finally:
        try:
            await connection.close(timeout=2)
        except POSTGRES_DOWN:
            connection.terminate()


async def applied(connection: asyncpg.Connection) -> Sequence[int]:
    """The versions of the migrations that this database has, in order."""
    if await connection.fetchval("select to_regclass('readiness.migration')") is None:
        return []
    rows = await connection.fetch("select version from readiness.migration order by version")
    return [row["version"] for row in rows]


async def check_schema(connection: asyncpg.Connection) -> None:
    """:raises SchemaMissing: unless the schema is the one that this code was written for"""
    have, want = await applied(connection), list(sql.migrations())
    if not have:
        raise SchemaMissing(
            "this Postgres has no schema 'readiness': run 'airflow readiness db upgrade', "
            "or apply what 'airflow readiness db sql' prints"
        )
    if missing := [version for version in want if version not in have]:
        raise SchemaMissing(
            f"the schema 'readiness' lacks migrations {missing}: run 'airflow readiness db upgrade'"
        )
