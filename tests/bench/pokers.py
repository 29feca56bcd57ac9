"""Processes in which a ``RedisKeySensor`` pokes at its defaults, as a worker's task process does.

Airflow runs each in a process that its supervisor forks, which then reads the DAG's file. So here; what is
left out is what would be added: the supervisor that waits for it, its log and its heartbeats.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Final

# what the one that forks has imported
import airflow.sdk.execution_time.supervisor  # noqa: F401
import psutil

from tests.bench import child

_DAG: Final = """
from airflow.providers.redis.sensors.redis_key import RedisKeySensor
from airflow.sdk import DAG

with DAG("poking", schedule=None):
    sensor = RedisKeySensor(task_id="wait", key="nobody-sets-this", redis_conn_id="redis_default")
"""


class Pokers:
    """What the parent may ask."""

    def __init__(self) -> None:
        self._forked: list[psutil.Process] = []

    async def start(self, count: int) -> int:
        """Fork so many, one after the other until each sleeps. The bytes that are theirs alone."""
        for _ in range(count):
            pid = os.fork()
            if not pid:
                _poke()
            self._forked.append(psutil.Process(pid))
            await self._settled()
        return sum(int(each.memory_full_info().uss) for each in self._forked)

    async def _settled(self) -> None:
        """Until nothing happens any more: it has poked once."""
        while True:
            busy = await self.spent()
            await asyncio.sleep(0.5)
            if await self.spent() - busy < 0.01:
                return

    async def limit(self) -> str:
        """Nothing limits so few."""
        return ""

    async def spent(self) -> float:
        """Seconds of a processor's time, of all of them."""
        return float(sum(sum(each.cpu_times()[:2]) for each in self._forked))

    async def waiting(self) -> int:
        """How many wait."""
        return sum(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in self._forked)

    def stop(self) -> None:
        """End them."""
        for each in self._forked:
            each.send_signal(signal.SIGKILL)
            os.waitpid(each.pid, 0)


def _poke() -> None:
    """In the forked process, for ever."""
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        # the parent speaks by these
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        import airflow.sdk.execution_time.task_runner  # noqa: F401

        module: dict[str, object] = {}
        exec(compile(_DAG, "poking.py", "exec"), module)
        module["sensor"].execute({})  # type: ignore[attr-defined]
    finally:
        os._exit(1)


if __name__ == "__main__":
    pokers = Pokers()
    try:
        asyncio.run(child.serve(pokers))
    finally:
        pokers.stop()
