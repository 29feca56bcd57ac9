"""The keyspace hub: one subscription for all triggers of a triggerer process.

It mirrors the keys that somebody watches. Notifications are hints, and are lost on every
disconnect; so the order is always: subscribe, wait for the acknowledgement, read, only then wait,
and the same after every reconnect and every 30 seconds. All reading goes through one task, which
turns a burst of notifications into one MGET. While Redis is unreachable the same keys are read
from Postgres, every 5 seconds.
"""

from __future__ import annotations

import asyncio
import json
import logging
import weakref
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from airflow_readiness import metrics
from airflow_readiness.config import Endpoints
from airflow_readiness.core.names import KEY_PREFIX
from airflow_readiness.signal.client import REDIS_DOWN, TIMEOUT, ensure_events, open_redis
from airflow_readiness.store.store import POSTGRES_DOWN
from airflow_readiness_triggers.fallback import read_from_postgres
from airflow_readiness_triggers.tasks import Backoff, detached, stop, together, wait_for_event

log = logging.getLogger(__name__)

#: Seconds between two readings of everything that is watched.
REREAD: Final = 30.0
#: Seconds of silence after which a PING is sent; as many again without an answer end the session.
SILENCE: Final = 10.0
#: Seconds between two readings from Postgres while Redis is unreachable.
INSTEAD: Final = 5.0
_CHUNK: Final = 5000


class Watch:
    """What one waiter watches: keys, whose documents it sees, or a prefix, of which it only hears."""

    def __init__(self, hub: Hub, keys: Iterable[str], prefix: str | None) -> None:
        self.keys = tuple(keys)
        self.prefix = prefix
        self._hub = hub
        self._changed = asyncio.Event()

    def documents(self) -> dict[str, str | None]:
        """The documents of its keys, as last read; none where there is none."""
        return {key: self._hub.documents.get(key) for key in self.keys}

    @property
    def connected(self) -> bool:
        """Whether Redis can be relied upon at this moment."""
        return self._hub.connected

    def wake(self) -> None:
        """End the wait, or the next one."""
        self._changed.set()

    async def changed(self, timeout: float | None) -> bool:
        """Wait until something of it was read anew, ``timeout`` seconds at the most."""
        woken = await wait_for_event(self._changed, timeout)
        self._changed.clear()
        return woken


class Hub:
    """One subscription and one mirror. Made by :func:`open_hub`, shared by :func:`shared_hub`."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.documents: dict[str, str | None] = {}
        self.connected = False
        #: what an operator has to do so that notifications come; none if they do
        self.advice: str | None = None
        self.reconnects = 0
        #: for waiters that ask Postgres for a date nobody has opened: a few at a time
        self.asking = asyncio.Semaphore(4)
        self._endpoints = endpoints
        self._watches: dict[str, set[Watch]] = defaultdict(set)
        self._listeners: set[Watch] = set()
        self._stale: set[str] = set()
        self._to_read = asyncio.Event()

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

    def _heard(self, keys: Iterable[str]) -> None:
        self._read_soon(key for key in keys if key in self._watches)
        for watch in self._listeners:
            if any(key.startswith(watch.prefix or "") for key in keys):
                watch.wake()

    def _turn(self, connected: bool) -> None:
        self.connected = connected
        for watch in self._listeners:
            watch.wake()

    def _store(self, documents: dict[str, str | None]) -> None:
        for key, document in documents.items():
            for watch in self._watches.get(key, ()):
                self.documents[key] = document
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
            self._turn(False)
            await backoff.pause()

    async def _keep_session(self) -> None:
        backoff = Backoff()
        while True:
            try:
                async with open_redis(self._endpoints.redis) as redis:
                    await self._session(redis, backoff)
            except REDIS_DOWN as error:
                if self.connected or not self.reconnects:
                    log.warning("Redis is unreachable (%s); reading from Postgres until it is back", error)
            self.reconnects += 1
            metrics.redis_reconnect()
            self._turn(False)
            await backoff.pause()

    async def _session(self, redis: Redis, backoff: Backoff) -> None:
        pubsub = redis.pubsub()
        try:
            await self._subscribe(pubsub)
            advice = await ensure_events(redis)
            if advice and advice != self.advice:
                log.error(advice)
            self.advice = advice
            self._read_soon(tuple(self._watches))
            backoff.reset()
            if self.reconnects:
                log.info("Redis is back; everything watched is read anew")
            self._turn(True)
            await together(self._listen(pubsub), self._read(redis), self._remind())
        finally:
            await pubsub.aclose()

    async def _subscribe(self, pubsub: PubSub) -> None:
        database = self._endpoints.redis.get("db", 0)
        await pubsub.psubscribe(f"__keyspace@{database}__:{KEY_PREFIX}*")
        message = await pubsub.get_message(timeout=TIMEOUT)
        if not message or message["type"] != "psubscribe":
            raise TimeoutError("Redis did not acknowledge the subscription")

    async def _listen(self, pubsub: PubSub) -> None:
        silent = False
        while True:
            message = await pubsub.get_message(timeout=SILENCE)
            if message is None:
                if silent:
                    raise TimeoutError(f"Redis has not answered a PING for {SILENCE:g} s")
                silent = True
                await pubsub.ping()
                continue
            silent = False
            keys: set[str] = set()
            while message is not None and len(keys) < _CHUNK:
                if message["type"] == "pmessage":
                    keys.add(message["channel"].partition(":")[2])
                message = await pubsub.get_message(timeout=0)
            self._heard(keys)

    async def _read(self, redis: Redis) -> None:
        while True:
            await self._to_read.wait()
            self._to_read.clear()
            keys, self._stale = list(self._stale), set()
            try:
                for start in range(0, len(keys), _CHUNK):
                    chunk = keys[start : start + _CHUNK]
                    documents: list[Any] = await redis.mget(chunk)
                    self._store(dict(zip(chunk, documents, strict=True)))
            except BaseException:
                self._read_soon(key for key in keys if key in self._watches)
                raise

    async def _remind(self) -> None:
        while True:
            await asyncio.sleep(REREAD)
            self._read_soon(tuple(self._watches))
            for watch in self._listeners:
                watch.wake()

    async def _read_instead(self) -> None:
        while True:
            await asyncio.sleep(INSTEAD)
            if self.connected or not self._watches:
                continue
            try:
                documents = await read_from_postgres(self._endpoints, tuple(self._watches))
            except POSTGRES_DOWN as error:
                log.warning("neither Redis nor Postgres can be read (%s); trying on", error)
            else:
                # what was read from Redis since is newer
                if not self.connected:
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
