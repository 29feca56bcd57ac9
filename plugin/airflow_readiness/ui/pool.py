"""Our Postgres for the board: a few connections, opened when somebody looks, and no waiting for a dead one."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, TypeAlias

import asyncpg

from airflow_readiness import config
from airflow_readiness.store import sql
from airflow_readiness.store.store import POSTGRES_DOWN, Row, Store, check_schema, open_store, prepare
from airflow_readiness_triggers.tasks import limited

log = logging.getLogger(__name__)

#: Connections of one API server process that look, and that act (each for up to ten seconds).
LOOKING: Final = 4
ACTING: Final = 2
#: Seconds for a connection, and for a whole answer.
CONNECT: Final = 3.0
ANSWER: Final = 5.0
#: Seconds after a failure for which nobody else waits for the same.
PAUSE: Final = 2.0
#: Answers that are kept for the time of an outage, and seconds for which they are worth anything.
KEPT: Final = 32
WORTH: Final = 900.0
#: Seconds for which an answer is the same for everybody who looks.
SHARED: Final = 1.0

#: The statements of ``board.sql``.
QUERIES: Final = sql.named(files(__package__).joinpath("board.sql").read_text(encoding="utf-8"))

Asked: TypeAlias = "tuple[str, tuple[Any, ...]]"


@dataclass(frozen=True, slots=True)
class Stale:
    """Since when our Postgres cannot be read, and why."""

    since: dt.datetime
    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A row; none if it could not be read, and was not lately. ``read_at`` is by ``time.monotonic``."""

    row: Row | None
    read_at: float
    stale: Stale | None = None


class Ours:
    """Reads our Postgres; an outage is told, not raised. It lives on one event loop; its owner closes it."""

    def __init__(self) -> None:
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()
        self._acting = asyncio.Semaphore(ACTING)
        self._kept: OrderedDict[Asked, Answer] = OrderedDict()
        self._under_way: dict[Asked, asyncio.Task[Answer]] = {}
        self._read_at = dt.datetime.now(dt.timezone.utc)
        self._failed_at = float("-inf")
        self._failure = ""

    async def read(self, name: str, *args: Any, shared: float | None = None) -> Answer:
        """The one row of a statement; in an outage the last one that could be read.

        :param shared: seconds that it may be old; none: ``SHARED``
        """
        asked = (name, args)
        kept = self._kept.get(asked)
        now = time.monotonic()
        if kept and now - kept.read_at < (SHARED if shared is None else shared):
            return kept
        if self._failure and now - self._failed_at < PAUSE:
            return self._stale(asked)
        # whoever asks the same meanwhile waits for the same answer; it does not end with the first who asked
        task = self._under_way.get(asked)
        if task is None:
            task = self._under_way[asked] = asyncio.create_task(self._read(asked), name=f"readiness-{name}")
            task.add_done_callback(lambda _: self._under_way.pop(asked, None))
        return await asyncio.shield(task)

    async def _read(self, asked: Asked) -> Answer:
        name, args = asked
        try:
            rows = await limited(self._fetch(QUERIES[name], args), ANSWER)
        except POSTGRES_DOWN as error:
            await self._fail(error)
            return self._stale(asked)
        if self._failure:
            log.info("the board reads Postgres again")
        self._failure = ""
        self._read_at = dt.datetime.now(dt.timezone.utc)
        answer = Answer(rows[0] if rows else None, time.monotonic())
        self._kept[asked] = answer
        self._kept.move_to_end(asked)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return answer

    async def _fetch(self, query: str, args: tuple[Any, ...]) -> list[Row]:
        pool = await self._opened()
        async with pool.acquire(timeout=CONNECT) as connection:
            rows: list[Row] = await connection.fetch(query, *args, timeout=ANSWER)
            return rows

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await _make()
            return self._pool

    async def _fail(self, error: BaseException) -> None:
        failure = str(error) or ("no answer" if isinstance(error, TimeoutError) else type(error).__name__)
        if failure != self._failure:
            log.warning("the board cannot read Postgres (%s): it shows what Airflow knows", failure)
        self._failure, self._failed_at = failure, time.monotonic()
        # the connection may have another address by now
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    def _stale(self, asked: Asked) -> Answer:
        kept = self._kept.get(asked)
        stale = Stale(self._read_at, "Postgres cannot be read: launches are decided without this board")
        if kept is None or time.monotonic() - kept.read_at > WORTH:
            return Answer(None, time.monotonic(), stale)
        return Answer(kept.row, kept.read_at, stale)

    @asynccontextmanager
    async def acting(self) -> AsyncIterator[Store]:
        """A connection of its own, for what somebody does.

        :raises Exception: one of ``POSTGRES_DOWN``, if there is none
        """
        async with self._acting, open_store(await _dsn()) as store:
            # what was done is seen at the next look
            self._kept.clear()
            yield store
            self._kept.clear()

    async def close(self) -> None:
        """Give up what is under way, and every connection."""
        for task in list(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()


async def _dsn() -> dict[str, Any]:
    return await asyncio.to_thread(lambda: config.postgres_endpoint(config.load()))


async def _make() -> asyncpg.Pool:
    async def ready(connection: asyncpg.Connection) -> None:
        await prepare(connection)
        await connection.set_type_codec("json", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
        await check_schema(connection)

    return await asyncpg.create_pool(
        **await _dsn(),
        min_size=0,
        max_size=LOOKING,
        max_inactive_connection_lifetime=60,
        timeout=CONNECT,
        command_timeout=ANSWER,
        init=ready,
        # nothing else: a pooler refuses what it does not know, a statement_timeout for example
        server_settings={"application_name": "airflow-readiness board"},
        statement_cache_size=0,
    )
