"""The yardstick: a process with a bare redis-py subscriber, and nothing else; and one that writes."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio import Redis

from airflow_readiness.core.names import KEY_PREFIX
from airflow_readiness.signal import snapshot
from airflow_readiness.signal.client import open_server
from tests.bench import child
from tests.bench.sources import key, state

_OWN: Final = "bare:"


class Bare:
    """What the parent may ask. It hears the same keyspace notifications as the hub."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._burst: asyncio.Task[float] | None = None

    @asynccontextmanager
    async def _subscribed(self, prefix: str) -> AsyncIterator[tuple[Redis, AsyncIterator[dict[str, Any]]]]:
        # redis-py's own defaults
        redis = Redis(host="127.0.0.1", port=self._port)
        pubsub: Any = redis.pubsub()
        try:
            await pubsub.psubscribe(f"__keyspace@0__:{prefix}*")
            messages = pubsub.listen()
            assert (await anext(messages))["type"] == "psubscribe"
            yield redis, messages
        finally:
            await pubsub.aclose()
            await redis.aclose()

    async def wake(self, times: int) -> list[float]:
        """Seconds of each round trip: SET, the notification, and a GET of what was set."""
        seconds = []
        document = "{}"
        async with self._subscribed(_OWN) as (redis, messages):
            for number in range(times):
                await asyncio.sleep(0.003)
                began = time.perf_counter()
                await redis.set(f"{_OWN}{number}", document, ex=60)
                await anext(messages)
                await redis.get(f"{_OWN}{number}")
                seconds.append(time.perf_counter() - began)
        return seconds

    async def listen(self, first: int, count: int) -> None:
        """Subscribe to the keys of so many sources; :meth:`all_heard` tells the rest."""
        subscribed = asyncio.Event()
        self._burst = asyncio.create_task(self._hear(first, count, subscribed))
        await subscribed.wait()

    async def _hear(self, first: int, count: int, subscribed: asyncio.Event) -> float:
        wanted = {key(number) for number in range(first, first + count)}
        left = set(wanted)
        async with self._subscribed(KEY_PREFIX) as (redis, messages):
            subscribed.set()
            while left:
                message = await anext(messages)
                left.discard(message["channel"].partition(b":")[2].decode())
            # all at once: the fastest way to read them, which a hub must be measured by
            documents = await redis.mget(wanted)
            assert all(documents)
            return time.perf_counter()

    async def all_heard(self) -> float:
        """When every notification was in and every document read, by the clock that all processes share."""
        assert self._burst is not None
        return await self._burst

    async def write(self, first: int, count: int) -> float:
        """Make so many sources ready, as the engine does. When that began."""
        states = [state(number, ready=True) for number in range(first, first + count)]
        async with open_server({"host": "127.0.0.1", "port": self._port}) as redis:
            await redis.ping()
            began = time.perf_counter()
            await snapshot.write(redis, states, [])
        return began


if __name__ == "__main__":
    asyncio.run(child.serve(Bare(int(sys.argv[1]))))
