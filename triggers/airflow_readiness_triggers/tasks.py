"""Small helpers for tasks on the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def detached(work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
    """A task outside of the caller's context, for what outlives the trigger that started it.

    Airflow binds the log of a trigger to its context; work that is shared must not write there.
    """
    return contextvars.Context().run(asyncio.create_task, work, name=name)


async def stop(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended; what they raise is theirs."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def together(*works: Coroutine[Any, Any, None]) -> None:
    """Run these at the same time until the first ends or fails; then end the others."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await stop(*tasks)


async def wait_for_event(event: asyncio.Event, timeout: float | None) -> bool:
    """Wait until the event is set, ``timeout`` seconds at the most. Whether it was set."""
    try:
        await asyncio.wait_for(event.wait(), timeout)
    except (TimeoutError, asyncio.TimeoutError):
        return False
    return True


class Backoff:
    """Pauses that grow from 0.2 to 10 seconds, with some chance in them, until :meth:`reset`."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._sleep = sleep
        self._seconds = 0.2

    def reset(self) -> None:
        self._seconds = 0.2

    async def pause(self) -> None:
        seconds, self._seconds = self._seconds, min(self._seconds * 2, 10.0)
        await self._sleep(seconds * random.uniform(0.7, 1.0))
