"""The processor: rung by Postgres, or by the clock, it takes the next step of the engine.

It holds one connection to Postgres, for LISTEN and for the step itself, and shares the hub's
subscription to notice that Redis came back empty. It never raises for an outage: it backs off
and goes on, since Airflow would start a failed task again at once, without end.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from airflow_readiness import config, engine, metrics
from airflow_readiness.core.document import Launch
from airflow_readiness.core.names import SNAPSHOT_KEY
from airflow_readiness.errors import ReadinessError
from airflow_readiness.signal import snapshot
from airflow_readiness.signal.client import REDIS_DOWN, Client, forget, open_redis
from airflow_readiness.store.store import POSTGRES_DOWN, Store, open_store
from airflow_readiness_triggers.bell import Bell
from airflow_readiness_triggers.hub import Hub, Watch, shared_hub
from airflow_readiness_triggers.tasks import Backoff, limited, stop, wait_for_event

log = logging.getLogger(__name__)

#: Seconds between two full steps, which need no bell.
SAFETY: Final = 30.0
#: Seconds between two steps while the doorbell is not heard.
DEAF: Final = 1.0
#: Seconds within which the doorbell must be heard in the self-test.
SELF_TEST: Final = 3.0


class Processor:
    """The loop, apart from the trigger, so that it can be run anywhere."""

    def __init__(self, settings: config.Config, endpoints: config.Endpoints) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._rung = asyncio.Event()
        self._bell = Bell()
        self._echo = ""
        self._echoed = asyncio.Event()
        self._hears = False
        #: why the doorbell is not heard; empty if it is
        self._deaf = ""
        self._in_redis = False
        #: Redis may have come back empty
        self._doubt = False
        #: the hub's, when Redis was last written
        self._reconnects = 0
        #: the plans of launches as Redis has them
        self._plans: dict[engine.Pair, Launch] = {}
        self._flows_changed = True
        self._complaint = ""

    async def serve(self) -> None:
        """Go on until cancelled; never raises for an outage."""
        backoff = Backoff()
        async with (
            open_redis(self._endpoints.redis) as redis,
            shared_hub(self._endpoints) as hub,
            hub.watch([SNAPSHOT_KEY]) as mark,
        ):
            while True:
                try:
                    async with open_store(self._endpoints.postgres) as store:
                        await self._session(store, redis, hub, mark, backoff)
                except POSTGRES_DOWN as error:
                    self._complain(f"the processor cannot work ({type(error).__name__}: {error}); trying on")
                await backoff.pause()

    def _complain(self, sentence: str) -> None:
        if sentence != self._complaint:
            self._complaint = sentence
            log.error("%s", sentence)

    def _hear(self, payload: str) -> None:
        if payload and payload == self._echo:
            self._echoed.set()
        if payload == "flow":
            self._flows_changed = True
        self._bell.rung()
        self._rung.set()

    async def _session(self, store: Store, redis: Client, hub: Hub, mark: Watch, backoff: Backoff) -> None:
        store_id = await engine.configure(store, self._settings)
        self._bell = Bell()
        await store.ring_on(self._hear)
        store.connection.add_termination_listener(lambda _connection: self._rung.set())
        self._hears = await self._hears_others()
        self._in_redis = False
        self._flows_changed = True
        while True:
            self._rung.clear()
            # a connection that hangs is found out here in 5 s, not in the step, which may take long
            await store.fetch("clock")
            everything, self._flows_changed = self._flows_changed, False
            if everything:
                await self._look_at_doorbell(store)
                full_at = asyncio.get_running_loop().time()
            if not self._deaf:
                await self._bell.rely_on(store)
            ticked_at = asyncio.get_running_loop().time()
            result = await engine.tick(store, everything=everything)
            await self._write(store, redis, hub, result, store_id)
            if everything:
                await self._beat(store)
            backoff.reset()
            self._complaint = ""
            await self._bell.put_away_in_storm(store)
            await self._wait(result, ticked_at, mark, store_id)
            if asyncio.get_running_loop().time() >= full_at + SAFETY:
                self._flows_changed = True

    async def _beat(self, store: Store) -> None:
        await store.run("beat", "processor", None, {"deaf": bool(self._deaf), "redis": self._in_redis})
        (today,) = await store.fetch("sources_today")
        metrics.sources_today(**today)

    async def _hears_others(self) -> bool:
        # A pooler in transaction mode accepts LISTEN, and hands over what rings while a query of ours is
        # under way, our own bell among it; what others ring in the time between is lost there.
        self._echo = uuid.uuid4().hex
        self._echoed.clear()
        async with open_store(self._endpoints.postgres) as other:
            await other.ring(self._echo)
        return await wait_for_event(self._echoed, SELF_TEST)

    async def _look_at_doorbell(self, store: Store) -> None:
        (deployment,) = await store.fetch("deployment")
        deaf = ""
        if not deployment["doorbell"]:
            deaf = "the doorbell is switched off in readiness.deployment"
        elif not self._hears:
            deaf = (
                f"LISTEN hears nothing on connection {self._settings.postgres_conn_id!r} (a pooler in "
                "transaction mode?); connect to Postgres directly to be rung"
            )
        if deaf and deaf != self._deaf:
            log.warning("%s: looking every %g s instead", deaf, DEAF)
        self._deaf = deaf

    async def _write(self, store: Store, redis: Client, hub: Hub, result: engine.Tick, store_id: str) -> None:
        news = self._news(result)
        sessions = hub.reconnects
        # a failover loses what was not replicated yet, and the mark says nothing about that
        anew = not self._in_redis or sessions != self._reconnects
        try:
            if sessions != self._reconnects:
                await forget(redis)
            if anew or not await self._still_there(redis, news, store_id):
                count = await engine.rebuild_snapshot(store, redis)
                log.info("wrote %d documents to Redis", count)
            else:
                await engine.publish_snapshot(redis, news)
            self._in_redis, self._doubt, self._reconnects = True, False, sessions
        except REDIS_DOWN as error:
            if self._in_redis:
                log.warning("Redis cannot be written (%s); it will be rebuilt when it is back", error)
            self._in_redis = False
            self._plans.clear()
            # its connection may be silent for a while yet: who listens there shall read Postgres now
            hub.suspect(error)

    def _news(self, result: engine.Tick) -> engine.Tick:
        """The step without the plans that Redis has: a full step evaluates all of them again."""
        for launch in [*result.launched, *result.skipped]:
            self._plans.pop((launch.condition.text, launch.business_date), None)
        planned = {(launch.condition.text, launch.business_date): launch for launch in result.planned}
        new = [launch for pair, launch in planned.items() if self._plans.get(pair) != launch]
        self._plans.update(planned)
        return dataclasses.replace(result, planned=new)

    async def _still_there(self, redis: Client, news: engine.Tick, store_id: str) -> bool:
        if not (self._doubt or news.changed or news.launched or news.planned):
            return True
        return await snapshot.is_marked(redis, store_id)

    async def _wait(self, result: engine.Tick, ticked_at: float, mark: Watch, store_id: str) -> None:
        """Wait for a bell, for the next deadline, for Redis, or until it is time to look anyway."""
        seconds = DEAF if self._deaf or not self._in_redis else SAFETY
        if not self._bell.relied_on:
            # no step takes more than a quarter of the time
            took = asyncio.get_running_loop().time() - ticked_at
            seconds = min(seconds, DEAF if self._deaf else max(self._bell.pause, 3 * took))
        if result.wake_at is not None:
            # counted from the instant that the step judged by
            elapsed = asyncio.get_running_loop().time() - ticked_at
            seconds = min(seconds, max((result.wake_at - result.now).total_seconds() - elapsed, 0) + 0.01)
        rung = asyncio.create_task(self._rung.wait())
        marked = asyncio.create_task(mark.changed(None))
        try:
            await asyncio.wait({rung, marked}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            self._doubt = marked.done() and mark.documents()[SNAPSHOT_KEY] != store_id
        finally:
            await stop(rung, marked)


class ProcessorTrigger(BaseTrigger):
    """Runs a :class:`Processor` and ends the task, successfully and without a worker, after a while.

    :param rotate: seconds after which the task ends, so that its run does not grow old
    """

    def __init__(self, rotate: float) -> None:
        super().__init__()
        self.rotate = rotate

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments, as Airflow stores them."""
        return "airflow_readiness_triggers.processor.ProcessorTrigger", {"rotate": self.rotate}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Work; then one :class:`TaskSuccessEvent`."""
        backoff = Backoff()
        until = asyncio.get_running_loop().time() + self.rotate
        while (left := until - asyncio.get_running_loop().time()) > 0:
            try:
                settings = await asyncio.to_thread(config.load)
                endpoints = await config.aendpoints(settings)
                await limited(Processor(settings, endpoints).serve(), left)
            except TimeoutError:
                break
            except ReadinessError as error:
                log.error("%s", error)
                await backoff.pause()
        yield TaskSuccessEvent()
