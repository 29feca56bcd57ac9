"""What a launch goes through in the triggerer: a processor, a sensor that waits, and the hub they share."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import of_source
from airflow_readiness.core.document import Launch
from airflow_readiness.core.names import SNAPSHOT_KEY, source_key
from airflow_readiness.signal.client import REDIS_DOWN, open_redis
from airflow_readiness.store.store import Store
from airflow_readiness_triggers.hub import Hub, shared_hub
from airflow_readiness_triggers.processor import Processor
from airflow_readiness_triggers.ready import Wait
from airflow_readiness_triggers.tasks import stop

Eventually = Callable[..., Awaitable[Any]]


class Relay:
    """Made by :func:`relay`."""

    def __init__(self, hub: Hub, store: Store, endpoints: Endpoints, day: dt.date, ask: Eventually) -> None:
        self.hub = hub
        self.store = store
        self._endpoints = endpoints
        self._day = day
        self._eventually = ask
        self._tasks: list[asyncio.Task[Launch]] = []

    def key(self, source: str) -> str:
        return source_key(source, self._day.isoformat())

    async def wait_for(self, source: str) -> asyncio.Task[Launch]:
        """A sensor that waits, and knows by now that it has to."""
        task = asyncio.create_task(Wait(self._endpoints, of_source(source), self._day, "UTC").satisfied())
        self._tasks.append(task)
        await self._eventually(lambda: self.hub.documents.get(self.key(source)), 15)
        assert not task.done()
        return task

    async def report(self, source: str) -> None:
        """One log row."""
        await self.store.connection.execute(
            "select readiness.report_log($1, $2, business_date => $3)", *source.split("."), self._day
        )

    async def wakes(self, source: str, waiting: asyncio.Task[Launch], within: float = 10) -> None:
        """A log row ends the wait."""
        await self.report(source)
        done, _ = await asyncio.wait({waiting}, timeout=within)
        assert done, f"{source} did not wake within {within:g} s (mode {self.hub.mode})"
        assert waiting.result().sources[source].state.value == "ready"

    async def sound(self, source: str, within: float = 15) -> None:
        """All is well: Redis tells of changes, holds everything, and a new sensor waits and wakes."""
        await self._eventually(lambda: self.hub.connected, within)
        await self._eventually(self._marked, within)
        await self.wakes(source, await self.wait_for(source))

    async def _marked(self) -> bool:
        # Sentinels may name no primary for a moment
        with contextlib.suppress(*REDIS_DOWN):
            async with open_redis(self._endpoints.redis) as redis:
                return bool(await redis.get(SNAPSHOT_KEY))
        return False

    async def end(self) -> None:
        await stop(*self._tasks)


@contextlib.asynccontextmanager
async def relay(
    store: Store, settings: Config, endpoints: Endpoints, day: dt.date, eventually: Eventually
) -> AsyncIterator[Relay]:
    """A processor at work and its hub, until the end. Neither may have ended by itself."""
    async with shared_hub(endpoints) as hub:
        processor = asyncio.create_task(Processor(settings, endpoints).serve())
        made = Relay(hub, store, endpoints, day, eventually)
        try:
            yield made
            assert not processor.done(), processor
        finally:
            await stop(processor)
            await made.end()
