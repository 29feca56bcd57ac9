"""A process in which so many triggers wait, as a triggerer runs them.

As Airflow's ``TriggerRunner.run_trigger`` does: each in a task of its own, behind a portal of greenback's,
by ``async for event in trigger.run()``.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import greenback
import psutil
from airflow.providers.redis.triggers.redis_await_message import AwaitMessageTrigger
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_readiness.core.document import dump_readiness
from airflow_readiness.signal import snapshot
from airflow_readiness.signal.client import open_server
from airflow_readiness_triggers.ready import ReadyTrigger
from tests.bench import child
from tests.bench.sources import DAY, key, name, state

#: What those wait for who do nothing else.
_ENDS: Final[list[asyncio.Future[bool]]] = []


class Still(BaseTrigger):
    """The least that a trigger can be: it has our arguments, and waits for a future."""

    def __init__(self, condition: Any, business_date: str) -> None:
        super().__init__()
        self.condition = condition
        self.business_date = business_date

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        _ENDS.append(asyncio.get_running_loop().create_future())
        yield TriggerEvent({"launch": await _ENDS[-1]})


#: What may wait, by the source that it waits for. Airflow's own at its defaults.
KINDS: Final[dict[str, Callable[[str], BaseTrigger]]] = {
    "ready": lambda source: ReadyTrigger(source, DAY.isoformat()),
    "still": lambda source: Still(source, DAY.isoformat()),
    "await": lambda source: AwaitMessageTrigger(channels=[source]),
}


class Waiters:
    """The triggers, and what the parent may ask."""

    def __init__(self, port: int, make: Callable[[str], BaseTrigger]) -> None:
        self._redis = {"host": "127.0.0.1", "port": port}
        self._make = make
        self._waiting: deque[tuple[int, asyncio.Future[float], asyncio.Task[None]]] = deque()
        self._made = 0

    async def _run(self, number: int, woken: asyncio.Future[float]) -> None:
        await greenback.ensure_portal()
        trigger = self._make(name(number))
        trigger.trigger_id = number
        async for event in trigger.run():
            woken.set_result(time.perf_counter())
            assert event.payload["launch"], event

    def _begin(self) -> None:
        number, self._made = self._made, self._made + 1
        woken: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.append((number, woken, asyncio.create_task(self._run(number, woken))))

    async def start(self, count: int) -> int:
        """Make so many sources known, and a trigger wait for each. How many bytes the process grew by."""
        async with open_server(self._redis) as redis:
            await snapshot.write(redis, (state(self._made + n, ready=False) for n in range(count)), [])
        gc.collect()
        before = psutil.Process().memory_info().rss
        for _ in range(count):
            self._begin()
            # as the triggerer, which lets others run between two
            await asyncio.sleep(0)
        await self._settled()
        gc.collect()
        return int(psutil.Process().memory_info().rss - before)

    async def _settled(self) -> None:
        """Until nothing happens any more: each has read its document once."""
        while True:
            busy = time.process_time()
            await asyncio.sleep(0.2)
            if time.process_time() - busy < 0.01:
                return

    async def waiting(self) -> int:
        """How many wait: those that failed do not."""
        return sum(not task.done() for _, _, task in self._waiting)

    async def limit(self) -> str:
        """Why no more wait; empty if there is no such limit."""
        ended = [task for _, _, task in self._waiting if task.done()]
        return f"{len(ended)} more failed: {ended[0].exception()}" if ended else ""

    async def spent(self) -> float:
        """Seconds of a processor's time, so far."""
        return time.process_time()

    async def wake(self, times: int, replace: bool) -> list[float]:
        """Make the source of the oldest trigger ready, and so on: seconds until each has yielded.

        :param replace: each with a new one, so that as many wait as before
        """
        seconds = []
        async with open_server(self._redis) as redis:
            for _ in range(times):
                if replace:
                    await snapshot.write(redis, [state(self._made, ready=False)], [])
                    self._begin()
                # a new one reads its document; what else the last one brought is done with
                await asyncio.sleep(0.02 if replace else 0.003)
                number, woken, task = self._waiting.popleft()
                document = dump_readiness(state(number, ready=True))
                began = time.perf_counter()
                await redis.set(key(number), document, ex=snapshot.TTL)
                seconds.append(await woken - began)
                await task
        return seconds

    async def release(self) -> float:
        """End the wait of all that do nothing else: seconds until the last has yielded."""
        began = time.perf_counter()
        for end in _ENDS:
            end.set_result(True)
        return await self.all_woken() - began

    async def first(self) -> int:
        """The number of the oldest that waits; the others follow."""
        return self._waiting[0][0]

    async def all_woken(self) -> float:
        """When the last that waits has yielded, by the clock that all processes share."""
        await asyncio.gather(*(task for _, _, task in self._waiting))
        last = max(woken.result() for _, woken, _ in self._waiting)
        self._waiting.clear()
        return last


async def _main() -> None:
    await child.serve(Waiters(int(sys.argv[1]), KINDS[sys.argv[2]]))
    # those that still wait are not waited for
    os._exit(0)


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    asyncio.run(_main())
