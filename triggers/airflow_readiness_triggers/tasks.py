"""Small helpers for tasks on the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

#: Seconds after which a task that has not ended is cancelled again.
AGAIN: Final = 0.5


def detached(work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
    """A task outside of the caller's context, for what outlives the trigger that started it.

    Airflow binds the log of a trigger to its context; work that is shared must not write there.
    """
    return contextvars.Context().run(asyncio.create_task, work, name=name)


async def stop(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended, come what may; what they raise is theirs.

    It asks again and again: redis-py sends by ``asyncio.wait_for``, which before Python 3.12 swallows
    a cancellation that comes at the wrong moment.
    """
    cancelled: asyncio.CancelledError | None = None
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        try:
            await asyncio.wait(running, timeout=AGAIN)
        except asyncio.CancelledError as error:
            cancelled = error
    await asyncio.gather(*tasks, return_exceptions=True)
    if cancelled:
        raise cancelled


async def limited(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """What ``work`` returns; as ``asyncio.wait_for``, but a cancellation is not lost (see :func:`stop`).

    :raises TimeoutError: if it takes longer than ``seconds``
    """
    task = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    finally:
        await stop(task)
    if not done:
        raise TimeoutError
    return task.result()


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
    # not asyncio.wait_for, for the reason that stop() gives
    waiter = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({waiter}, timeout=timeout)
    finally:
        waiter.cancel()
    return event.is_set()


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
