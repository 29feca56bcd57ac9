"""``[readiness]`` and both connections, asked of Airflow once for all triggers that start together.

In a triggerer each look at a connection is a question to its supervisor, and ten thousand triggers that
each hold what they were told hold ten thousand copies of it.
"""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import dataclass, field
from typing import Final

from airflow_readiness import config

#: Seconds for which an answer serves the triggers that start; a connection that was mended serves after.
KEEP: Final = 30.0


@dataclass(slots=True)
class _Known:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    answer: tuple[config.Config, config.Endpoints] | None = None
    until: float = 0.0


_KNOWN: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Known] = weakref.WeakKeyDictionary()


async def resolved() -> tuple[config.Config, config.Endpoints]:
    """The options and where the servers are, at most ``KEEP`` seconds old.

    :raises BadInput: if an option cannot be used
    :raises NotConfigured: if a connection is missing or incomplete
    """
    loop = asyncio.get_running_loop()
    known = _KNOWN.setdefault(loop, _Known())
    if known.answer is None or loop.time() >= known.until:
        # one asks; who waits for the lock finds the answer
        async with known.lock:
            if known.answer is None or loop.time() >= known.until:
                known.answer = await _ask(known.answer)
                known.until = loop.time() + KEEP
    return known.answer


async def _ask(
    before: tuple[config.Config, config.Endpoints] | None,
) -> tuple[config.Config, config.Endpoints]:
    settings = await asyncio.to_thread(config.load)
    answer = settings, await config.aendpoints(settings)
    # one object for those that started before, and for those that start now
    return before if before == answer else answer
