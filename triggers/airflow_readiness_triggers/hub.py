"""The keyspace hub: one subscription for all triggers of a triggerer process.

It mirrors the keys that somebody watches. Notifications are hints, and are lost on every
disconnect; so the order is always: subscribe, wait for the acknowledgement, read, only then wait,
and the same after every reconnect and every 30 seconds. All reading goes through one task, which
turns a burst of notifications into one MGET. Where Redis tells of nothing, everything is read every
5 seconds. While Redis is unreachable the same keys are read from Postgres, as often.
"""

from __future__ import annotations

import asyncio
import json
import logging
import weakref
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final, Literal, TypeAlias

from airflow_readiness import metrics
from airflow_readiness.config import Endpoints
from airflow_readiness.signal.client import REDIS_DOWN, open_redis
from airflow_readiness.signal.subscription import Subscription, open_subscription
from airflow_readiness.store.store import POSTGRES_DOWN
from airflow_readiness_triggers.fallback import read_from_postgres
from airflow_readiness_triggers.tasks import Backoff, detached, stop, together

log = logging.getLogger(__name__)

#: How it learns of changes. ``"postgres"``: Redis cannot be relied upon at all.
Mode: TypeAlias = Literal["notifications", "tracking", "timer", "postgres"]

#: Seconds between two readings of everything that is watched.
REREAD: Final = 30.0
#: The same where Redis tells of nothing.
TIMER: Final = 5.0
#: Seconds after which it is tried whether Redis tells of changes by now.
RETEST: Final = 60.0
#: Seconds of silence after which a PING is sent; as many again without an answer end the session.
SILENCE: Final = 10.0
#: Seconds between two looks whether a Cluster or the Sentinels have moved the keys elsewhere.
TOPOLOGY: Final = 10.0
#: Seconds between two readings from Postgres while Redis is unreachable.
INSTEAD: Final = 5.0


class Watch:
    """What one waiter watches: keys, whose documents it sees, or a prefix, of which it only hears."""

    # there are ten thousand of them
    __slots__ = ("_changed", "_hub", "_waiter", "keys", "prefix", "was_read")

    def __init__(self, hub: Hub, keys: Iterable[str], prefix: str | None) -> None:
        self.keys = tuple(keys)
        self.prefix = prefix
        #: whether its keys were read since it is there
        self.was_read = False
        self._hub = hub
        self._changed = False
        self._waiter: asyncio.Future[None] | None = None

    def documents(self) -> dict[str, str | None]:
        """The documents of its keys, as last read; none where there is none."""
        return {key: self._hub.documents.get(key) for key in self.keys}

    @property
    def connected(self) -> bool:
        """Whether a change is heard of at this moment; if not, look for yourself."""
        return self._hub.connected

    @property
    def mode(self) -> Mode:
        """How a change is learnt of at this moment."""
        return self._hub.mode

    def wake(self) -> None:
        """End the wait, or the next one."""
        self._changed = True
        self._end_wait()

    def _end_wait(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def changed(self, timeout: float | None) -> bool:
        """Wait until something of it has changed, or was read first, ``timeout`` seconds at the most.

        One waits at a time.
        """
        # neither a task nor an event: a future and a timer are a tenth of their size
        loop = asyncio.get_running_loop()
        if not self._changed:
            self._waiter = loop.create_future()
            timer = None if timeout is None else loop.call_later(timeout, self._end_wait)
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        woken, self._changed = self._changed, False
        return woken


class Hub:
    """One subscription and one mirror. Made by :func:`open_hub`, shared by :func:`shared_hub`."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.documents: dict[str, str | None] = {}
        self.mode: Mode = "postgres"
        #: what an operator can do so that notifications come; none if they do
        self.advice: str | None = None
        #: sessions after the first
        self.reconnects = 0
        #: for waiters that ask Postgres for a date nobody has opened: a few at a time
        self.asking = asyncio.Semaphore(4)
        self._endpoints = endpoints
        self._watches: dict[str, set[Watch]] = defaultdict(set)
        self._listeners: set[Watch] = set()
        self._stale: set[str] = set()
        self._to_read = asyncio.Event()
        self._suspected = asyncio.Event()
        self._suspicion = ""
        self._sessions = 0
        self._outage_told = False

    @property
    def connected(self) -> bool:
        """Whether Redis tells of changes at this moment."""
        return self.mode in ("notifications", "tracking")

    def suspect(self, why: object) -> None:
        """Redis failed somebody else in this process: do not rely on it before it was tried again.

        A connection that only listens may take a while to notice.
        """
        if self.mode != "postgres":
            self._suspicion = str(why)
            self._suspected.set()

    @asynccontextmanager
    async def watch(self, keys: Iterable[str] = (), prefix: str | None = None) -> AsyncIterator[Watch]:
        """Watch keys, or hear of every key with a prefix. The first wait ends once they were read."""
        watch = Watch(self, keys, prefix)
        for key in watch.keys:
            self._watches[key].add(watch)
        if prefix is not None:
            self._listeners.add(watch)
            watch.wake()
        self._read_soon(watch.keys)
        try:
            yield watch
        finally:
            self._listeners.discard(watch)
            for key in watch.keys:
                self._watches[key].discard(watch)
                if not self._watches[key]:
                    del self._watches[key]
                    self.documents.pop(key, None)
                    self._stale.discard(key)

    def _read_soon(self, keys: Iterable[str]) -> None:
        self._stale.update(keys)
        if self._stale:
            self._to_read.set()

    def _heard(self, keys: set[str] | None) -> None:
        if keys is None:
            self._reread()
            return
        self._read_soon(key for key in keys if key in self._watches)
        for watch in self._listeners:
            if any(key.startswith(watch.prefix or "") for key in keys):
                watch.wake()

    def _reread(self) -> None:
        self._read_soon(tuple(self._watches))
        for watch in self._listeners:
            watch.wake()

    def _turn(self, mode: Mode) -> None:
        self.mode = mode
        for watch in self._listeners:
            watch.wake()

    def _store(self, documents: dict[str, str | None]) -> None:
        for key, document in documents.items():
            watches = self._watches.get(key)
            if not watches:
                continue
            # what is read again every half a minute is mostly the same: that wakes nobody
            changed = key not in self.documents or self.documents[key] != document
            if changed:
                self.documents[key] = document
            for watch in watches:
                if changed or not watch.was_read:
                    watch.was_read = True
                    watch.wake()

    async def serve(self) -> None:
        """Keep the mirror until cancelled; never raises."""
        backoff = Backoff()
        while True:
            try:
                await together(self._keep_session(), self._read_instead())
            except Exception:
                # nobody waits for this task: if it ended, all who watch would wait for ever
                log.exception("the hub failed, and starts anew")
            self._turn("postgres")
            await backoff.pause()

    async def _keep_session(self) -> None:
        backoff = Backoff()
        while True:
            try:
                async with (
                    open_redis(self._endpoints.redis) as redis,
                    open_subscription(redis, self._endpoints.redis) as subscription,
                ):
                    self._begin(subscription)
                    backoff.reset()
                    await self._session(subscription)
            except REDIS_DOWN as error:
                self._lost(error)
                await backoff.pause()

    def _begin(self, subscription: Subscription) -> None:
        if subscription.advice and subscription.advice != self.advice:
            log.log(logging.WARNING if subscription.lines else logging.ERROR, "%s", subscription.advice)
        if self.advice and not subscription.advice:
            log.info("Redis gives keyspace notifications now")
        self.advice = subscription.advice
        if self.mode == "postgres" and self._sessions:
            self.reconnects += 1
            log.info("Redis is back; everything watched is read anew")
        self._sessions += 1
        self._outage_told = False
        self._suspected.clear()
        self._read_soon(tuple(self._watches))
        self._turn(subscription.mode)

    def _lost(self, error: BaseException) -> None:
        if not self._outage_told:
            log.warning("Redis cannot be relied upon (%s); reading from Postgres until it can", error)
        self._outage_told = True
        metrics.redis_reconnect()
        self._turn("postgres")

    async def _session(self, subscription: Subscription) -> None:
        works = [line.listen(self._heard, SILENCE) for line in subscription.lines]
        works += [self._read(subscription), self._remind(), self._until_suspected()]
        if subscription.can_move:
            works.append(self._look_for_moves(subscription))
        if not subscription.lines:
            # ends the session without a fault
            works.append(asyncio.sleep(RETEST))
        await together(*works)

    async def _read(self, subscription: Subscription) -> None:
        while True:
            await self._to_read.wait()
            self._to_read.clear()
            keys, self._stale = list(self._stale), set()
            try:
                self._store(await subscription.read(keys))
            except BaseException:
                self._read_soon(key for key in keys if key in self._watches)
                raise

    async def _remind(self) -> None:
        while True:
            await asyncio.sleep(REREAD if self.connected else TIMER)
            self._reread()

    async def _until_suspected(self) -> None:
        await self._suspected.wait()
        raise TimeoutError(f"it failed somebody else: {self._suspicion}")

    async def _look_for_moves(self, subscription: Subscription) -> None:
        while True:
            await asyncio.sleep(TOPOLOGY)
            await subscription.check()

    async def _read_instead(self) -> None:
        while True:
            await asyncio.sleep(INSTEAD)
            if self.mode != "postgres" or not self._watches:
                continue
            try:
                documents = await read_from_postgres(self._endpoints, tuple(self._watches))
            except POSTGRES_DOWN as error:
                log.warning("neither Redis nor Postgres can be read (%s); trying on", error)
            else:
                # what was read from Redis since is newer
                if self.mode == "postgres":
                    self._store(documents)


@asynccontextmanager
async def open_hub(endpoints: Endpoints) -> AsyncIterator[Hub]:
    """A hub of its own, at work until the end."""
    hub = Hub(endpoints)
    task = detached(hub.serve(), "readiness-hub")
    try:
        yield hub
    finally:
        await stop(task)


class _Shared:
    def __init__(self, endpoints: Endpoints) -> None:
        self.hub = Hub(endpoints)
        self.task = detached(self.hub.serve(), "readiness-hub")
        self.users = 0


_SHARED: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Shared]] = weakref.WeakKeyDictionary()


@asynccontextmanager
async def shared_hub(endpoints: Endpoints) -> AsyncIterator[Hub]:
    """The hub of this event loop for these endpoints; the last user closes it."""
    hubs = _SHARED.setdefault(asyncio.get_running_loop(), {})
    name = json.dumps([endpoints.redis, endpoints.postgres], sort_keys=True, default=str)
    shared = hubs.get(name) or hubs.setdefault(name, _Shared(endpoints))
    shared.users += 1
    try:
        yield shared.hub
    finally:
        shared.users -= 1
        if not shared.users:
            del hubs[name]
            await stop(shared.task)
