"""Waiting in one triggerer loop: wake-up, burst and idle cost, beside a bare redis-py subscriber."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
from redis.asyncio import Redis

from airflow_readiness.config import Endpoints
from airflow_readiness.core.condition import of_source
from airflow_readiness.core.document import Launch
from airflow_readiness.core.names import source_key
from airflow_readiness.core.state import Readiness, State
from airflow_readiness.demo.servers import embedded_redis, free_port
from airflow_readiness.signal import snapshot
from airflow_readiness.signal.client import open_server
from airflow_readiness_triggers.ready import Wait
from tests.bench.rows import Row

DAY = dt.date(2026, 11, 22)
FAR = dt.datetime(2100, 1, 1, tzinfo=dt.timezone.utc)


def _name(number: int) -> str:
    return f"bench.s{number}"


def _state(number: int, state: State) -> Readiness:
    ready_at = dt.datetime.now(dt.timezone.utc) if state is State.READY else None
    return Readiness(_name(number), DAY, state, FAR, int(state is State.READY), 1, ready_at=ready_at)


class Waiters:
    """So many waits of ReadySensors, each for a source of its own."""

    def __init__(self, endpoints: Endpoints, redis: Redis, count: int) -> None:
        self._endpoints = endpoints
        self._redis = redis
        self.count = count
        self.tasks: list[asyncio.Task[Launch]] = []

    async def start(self) -> None:
        """Begin all; returns when each waits for its source, which is known and waiting."""
        await snapshot.write(self._redis, [_state(n, State.WAITING) for n in range(self.count)], [])
        self.tasks = [asyncio.create_task(self._wait(number)) for number in range(self.count)]
        # they have read once by then; the hub's session has begun
        await asyncio.sleep(1 + self.count / 5000)

    async def _wait(self, number: int) -> Launch:
        return await Wait(self._endpoints, of_source(_name(number)), DAY).satisfied()

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def wake(self, number: int) -> float:
        """Make one source ready; seconds until its wait is over."""
        await asyncio.sleep(0.002)
        began = time.perf_counter()
        await snapshot.write(self._redis, [_state(number, State.READY)], [])
        await self.tasks[number]
        return time.perf_counter() - began


@asynccontextmanager
async def waiters(endpoints: Endpoints, redis: Redis, count: int) -> AsyncIterator[Waiters]:
    """These waits, until the end."""
    made = Waiters(endpoints, redis, count)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def bare_wake_ups(redis: Redis, times: int) -> list[float]:
    """A bare subscriber: SET, the notification, and a GET of the document."""
    pubsub: Any = redis.pubsub()
    seconds = []
    try:
        await pubsub.psubscribe("__keyspace@0__:bare:*")
        await pubsub.get_message(timeout=5)
        for number in range(times):
            await asyncio.sleep(0.002)
            key = f"bare:{number}"
            began = time.perf_counter()
            await redis.set(key, "{}", ex=60)
            await pubsub.get_message(timeout=5)
            await redis.get(key)
            seconds.append(time.perf_counter() - began)
    finally:
        await pubsub.aclose()
    return seconds


async def bare_burst(redis: Redis, count: int) -> float:
    """The same for so many keys at once: until all notifications are in and the documents read."""
    pubsub: Any = redis.pubsub()
    states = [_state(number, State.READY) for number in range(count)]
    try:
        await pubsub.psubscribe("__keyspace@0__:readiness:*")
        await pubsub.get_message(timeout=5)
        began = time.perf_counter()
        writing = asyncio.create_task(snapshot.write(redis, states, []))
        keys: set[str] = set()
        while len(keys) < count:
            message = await pubsub.get_message(timeout=5)
            keys.add(message["channel"].partition(":")[2])
        await writing
        await snapshot.read(redis, list(keys))
        return time.perf_counter() - began
    finally:
        await pubsub.aclose()


async def burst(endpoints: Endpoints, redis: Redis, count: int) -> float:
    """Seconds from the first write until all waits are over."""
    async with waiters(endpoints, redis, count) as made:
        began = time.perf_counter()
        await snapshot.write(redis, [_state(number, State.READY) for number in range(count)], [])
        await asyncio.gather(*made.tasks)
        return time.perf_counter() - began


async def idle(endpoints: Endpoints, redis: Redis, count: int, seconds: float) -> dict[str, float]:
    """What waiting costs: commands a second, connections, share of a core, KiB per waiter."""
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    async with waiters(endpoints, redis, count):
        gc.collect()
        memory = (process.memory_info().rss - before) / count / 1024
        connections = len(await redis.client_list()) - 1
        commands, cpu = await _commands(redis), sum(process.cpu_times()[:2])
        await asyncio.sleep(seconds)
        # the two that ask are not theirs
        spent = sum(process.cpu_times()[:2]) - cpu
        asked = await _commands(redis) - commands - 1
        return {
            "commands": asked / seconds,
            "connections": connections,
            "core": spent / seconds * 100,
            "memory": memory,
        }


async def _commands(redis: Redis) -> int:
    info: dict[str, Any] = await redis.info("stats")
    return int(info["total_commands_processed"])


def quantile(values: list[float], part: float) -> float:
    """The value below which this part of all lies, in milliseconds."""
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)] * 1000


async def measure(quick: bool) -> tuple[list[Row], dict[str, list[float]]]:
    """The rows, and the wake-ups (ms) for the plot."""
    many = 1000 if quick else 10_000
    times = 50 if quick else 300
    with tempfile.TemporaryDirectory() as folder, embedded_redis(Path(folder), free_port()) as server:
        options = {"host": "127.0.0.1", "port": server.port, "db": 0}
        endpoints = Endpoints({"host": "127.0.0.1", "port": 1}, options)
        async with open_server(options) as redis:
            await redis.config_set("notify-keyspace-events", "Kg$")
            bare = await bare_wake_ups(redis, times)
            woken: dict[int, list[float]] = {}
            for count in (1, 1000, many) if many > 1000 else (1, many):
                woken[count] = []
                while len(woken[count]) < (20 if count == 1 else times):
                    async with waiters(endpoints, redis, count) as made:
                        woken[count] += [await made.wake(n) for n in range(min(count, times))]
            bare_all = await bare_burst(redis, many)
            all_at_once = await burst(endpoints, redis, many)
            cost = await idle(endpoints, redis, many, 5 if quick else 60)
    rows = [
        Row(
            f"wake-up, {count} waiting (median)",
            statistics.median(seconds) * 1000,
            "ms",
            "bare subscriber",
            statistics.median(bare) * 1000,
            3,
        )
        for count, seconds in woken.items()
    ]
    rows += [
        Row(f"wake-up, {many} waiting (p99)", quantile(woken[many], 0.99), "ms", "", 0, 5, by_ratio=False),
        Row(f"{many} sources ready at once", all_at_once, "s", "bare subscriber", bare_all, 2),
        Row(f"{many} waiting: commands", cost["commands"], "/s", "", 0, 0.2, by_ratio=False),
        Row(f"{many} waiting: connections", cost["connections"], "", "", 0, 2, by_ratio=False),
        Row(f"{many} waiting: CPU", cost["core"], "% of a core", "", 0, 1, by_ratio=False),
        Row(f"{many} waiting: memory of each", cost["memory"], "KiB", "", 0, 4, by_ratio=False),
    ]
    plot = {"bare": [each * 1000 for each in bare]}
    plot |= {str(count): [each * 1000 for each in seconds] for count, seconds in woken.items()}
    return rows, plot
