"""The collector's wait: until launches are due, or sources have settled.

It only looks; a trigger may run twice. What is published is found out on the worker.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from airflow_readiness import config
from airflow_readiness.core.names import KEY_PREFIX
from airflow_readiness.errors import ReadinessError
from airflow_readiness.signal import snapshot
from airflow_readiness.signal.client import REDIS_DOWN, open_redis
from airflow_readiness.store.store import POSTGRES_DOWN, Store, open_store
from airflow_readiness_triggers.hub import Watch, shared_hub
from airflow_readiness_triggers.tasks import Backoff, limited

log = logging.getLogger(__name__)

#: Seconds between two looks while something that was published waits to be seen, or Redis is away.
SOON: Final = 5.0
#: Seconds between two looks when nothing is due.
SLOW: Final = 30.0
#: Seconds after a deadline at which it looks although nobody has called: a Postgres that hangs says nothing.
AFTER_DEADLINE: Final = 1.0
#: Seconds of quiet after which the source events (lineage) are published: they delay no launch.
QUIET: Final = 4.0


class Collector:
    """The wait, apart from the trigger, so that it can be run anywhere."""

    def __init__(self, settings: config.Config, endpoints: config.Endpoints, sources: list[str]) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._sources = sources
        self._heard_at = asyncio.get_running_loop().time()
        self._complaint = ""

    async def something_due(self) -> str:
        """Wait until there is something to publish: ``"launches"`` or ``"lineage"``."""
        async with (
            shared_hub(self._endpoints) as hub,
            hub.watch(prefix=f"{KEY_PREFIX}launch:") as watch,
        ):
            while True:
                try:
                    async with open_store(self._endpoints.postgres) as store:
                        return await self._due_by_postgres(store, watch)
                except POSTGRES_DOWN as error:
                    self._complain(
                        f"Postgres cannot be read ({type(error).__name__}: {error}); looking at Redis"
                    )
                if await self._due_by_redis():
                    return "launches"
                await self._pause(watch, SOON)

    def _complain(self, sentence: str) -> None:
        if sentence != self._complaint:
            self._complaint = sentence
            log.warning("%s", sentence)

    async def _pause(self, watch: Watch, seconds: float) -> None:
        if not watch.connected:
            seconds = min(seconds, SOON)
        if await watch.changed(seconds):
            self._heard_at = asyncio.get_running_loop().time()

    async def _due_by_postgres(self, store: Store, watch: Watch) -> str:
        while True:
            heard = {"redis": watch.connected, "mode": watch.mode, "publishing": False}
            await store.run("beat", "collector", None, heard)
            if await store.fetch("outbox", 1):
                # what comes while Airflow hands over goes along: the worker reads what is due by then
                return "launches"
            self._complaint = ""
            quiet = asyncio.get_running_loop().time() - self._heard_at
            lineage = bool(await store.fetch("lineage", 1, self._sources))
            if lineage and quiet >= QUIET:
                return "lineage"
            look_again = SOON if await store.fetch("snapshot_launches") else SLOW
            (deadline,) = await store.fetch("next_deadline")
            if deadline["seconds"] is not None:
                look_again = min(look_again, deadline["seconds"] + AFTER_DEADLINE)
            await self._pause(watch, min(look_again, QUIET - quiet + 0.05) if lineage else look_again)

    async def _due_by_redis(self) -> bool:
        try:
            async with open_redis(self._endpoints.redis) as redis:
                due, broken = await snapshot.due_launches(redis, dt.datetime.now(dt.timezone.utc))
        except REDIS_DOWN as error:
            self._complain(f"neither Postgres nor Redis can be read ({error}); trying on")
            return False
        for sentence in broken:
            log.error("%s", sentence)
        return bool(due)


class CollectorTrigger(BaseTrigger):
    """Waits for something to publish, then wakes the task.

    :param sources: sources that are the collector's outlets although no flow waits for them
    :param rotate: seconds after which the task ends without a worker
    """

    def __init__(self, sources: list[str], rotate: float) -> None:
        super().__init__()
        self.sources = sources
        self.rotate = rotate

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments, as Airflow stores them."""
        return (
            "airflow_readiness_triggers.collector.CollectorTrigger",
            {"sources": self.sources, "rotate": self.rotate},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: what is due, or that the task has grown old."""
        backoff = Backoff()
        until = asyncio.get_running_loop().time() + self.rotate
        while (left := until - asyncio.get_running_loop().time()) > 0:
            try:
                settings = await asyncio.to_thread(config.load)
                collector = Collector(settings, await config.aendpoints(settings), self.sources)
                what = await limited(collector.something_due(), left)
            except TimeoutError:
                break
            except ReadinessError as error:
                log.error("%s", error)
                await backoff.pause()
            else:
                yield TriggerEvent({"due": what})
                return
        yield TaskSuccessEvent()
