"""So many that wait in one process, their Redis, and what they cost while nothing happens."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from airflow_readiness.demo.servers import embedded_redis, free_port
from airflow_readiness.signal.client import open_server
from tests.bench.child import Child, started


@dataclass(slots=True)
class Cost:
    """What all of them cost."""

    #: of Redis, a second
    commands: float
    #: at the most
    connections: int
    #: share of a processor's core
    core: float


@dataclass(slots=True)
class Site:
    """See :func:`site`."""

    port: int
    redis: Redis
    process: Child
    #: how many wait
    count: int = 0
    #: bytes that each added to its process
    each: float = 0
    cost: Cost = field(default_factory=lambda: Cost(0, 0, 0))

    async def begin(self, count: int) -> None:
        """Let so many wait; as many do as can."""
        # the connection and the modules are no waiter's
        await self.process.ask("start", 1)
        grown = await self.process.ask("start", max(count - 1, 1))
        self.count = await self.process.ask("waiting")
        self.each = grown / max(self.count - 1, 1)

    async def idle(self, seconds: float) -> None:
        """Nothing happens: what that costs."""
        spent, commands, began = await self.process.ask("spent"), await self._commands(), time.monotonic()
        connections = 0
        while (left := began + seconds - time.monotonic()) > 0:
            connections = max(connections, self.process.connections(self.port))
            # a look at ten thousand connections takes a while
            await asyncio.sleep(min(left, 0.5 if connections < 100 else 20))
        took = time.monotonic() - began
        # the look itself is one
        commands = await self._commands() - commands - 1
        self.cost = Cost(commands / took, connections, (await self.process.ask("spent") - spent) / took)

    async def _commands(self) -> int:
        info: dict[str, Any] = await self.redis.info("stats")
        return int(info["total_commands_processed"])


@asynccontextmanager
async def site(module: str, *arguments: str) -> AsyncIterator[Site]:
    """A Redis of its own, and a process of a module in which nobody waits yet; ended at the end."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, embedded_redis(Path(folder), port):
        where = f"redis://127.0.0.1:{port}/0"
        async with (
            open_server({"host": "127.0.0.1", "port": port}) as redis,
            started(
                module,
                str(port),
                *arguments,
                AIRFLOW_CONN_READINESS_REDIS=where,
                AIRFLOW_CONN_REDIS_DEFAULT=where,
                # nobody asks it: all sources are known
                AIRFLOW_CONN_READINESS_POSTGRES="postgres://nobody@127.0.0.1:1/none",
            ) as process,
        ):
            await redis.config_set("notify-keyspace-events", "Kg$")
            yield Site(port, redis, process)
