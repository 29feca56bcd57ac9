"""The registrar's second duty: what cannot wait for a triggerer that is gone.

The processor and the collector live in the triggerer. Where there is none, or one of the two was
not seen for a while (a paused DAG), the step is taken here, in the API server, and the collector's
deferred task is let time out: the scheduler hands it to a worker, which publishes. It stays the one
publisher.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from airflow_readiness import engine
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.names import COLLECTOR
from airflow_readiness.store.store import Store

log = logging.getLogger(__name__)

#: Seconds without a sign of life after which a part is thought gone; each gives one every 30 s.
ABSENT: Final = 45.0
#: Seconds between two steps that are taken here.
AGAIN: Final = 10.0

#: Lets the deferred tasks of a DAG time out now. How many there were. Blocking.
Hasten = Callable[[str], int]


class StandIn:
    """Looks whether the parts in the triggerer are at work, and does what they leave undone.

    :param hasten: lets the deferred tasks of a DAG time out; blocking, so it runs in a thread
    """

    def __init__(self, settings: Config, endpoints: Endpoints, hasten: Hasten) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._hasten = hasten
        self._step_at = 0.0
        self._standing_in = False

    async def look(self, store: Store, triggerers: int) -> None:
        """Once after each look of the registrar, which has seen so many triggerers alive."""
        rows = await store.fetch("heartbeats") if triggerers else []
        present = {row["part"] for row in rows if row["age"] < ABSENT}
        self._say(standing_in="processor" not in present)
        if self._standing_in and time.monotonic() >= self._step_at:
            await self._step(store)
            self._step_at = time.monotonic() + AGAIN
        if "collector" not in present and await store.fetch("outbox", 1):
            if await asyncio.to_thread(self._hasten, COLLECTOR):
                log.warning("the collector is not at work in the triggerer: a worker publishes what is due")

    async def _step(self, store: Store) -> None:
        try:
            await engine.full_step(store, self._settings, self._endpoints.redis)
        except (TimeoutError, asyncio.TimeoutError):
            log.warning("the step takes long, or somebody else is taking it; trying again in %g s", AGAIN)

    def _say(self, *, standing_in: bool) -> None:
        if standing_in and not self._standing_in:
            log.warning("the processor is not at work: its step is taken here until it is back")
        if self._standing_in and not standing_in:
            log.info("the processor is back")
        self._standing_in = standing_in
