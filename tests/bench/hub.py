"""Waiting in one triggerer loop: wake-up, burst and idle cost, beside a bare redis-py subscriber.

Each number of waiting triggers has a process and a Redis of its own, and so has what it is measured beside.
Wake-ups of both are taken in turn, a few at a time, so that what else the machine does meets both.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from tests.bench.child import Child, started
from tests.bench.rows import Found, Row
from tests.bench.site import Site, site

#: Wake-ups of one side in its turn.
_TURN: Final = 20
_BARE: Final = "bare subscriber"
#: From this number on, sources that no trigger waits for.
_NOBODYS: Final = 10**7

_COUNTED: Final = (
    "beyond a trigger with the same arguments that awaits one future, run in the same way, with the task and "
    "greenback's portal that Airflow's triggerer makes for each ({still} KiB)"
)
_LEAST: Final = (
    "of it, {seconds:.2f} s are what as many triggers take that only wake and yield, behind the portals that "
    "Airflow's triggerer makes for each"
)
_AWAIT: Final = "Airflow's own, at its defaults: each looks every 60 s, in one thread. {limit}"
_SENSOR: Final = (
    "at their defaults: mode poke, every 60 s. {count} processes, forked as a supervisor forks a task's; of "
    "their memory what is theirs alone; the supervisors are not counted. [core] parallelism lets 32 wait"
)


async def wake_ups(place: Site, count: int, times: int) -> tuple[list[float], list[float]]:
    """Seconds from SET until the trigger has yielded; the same of the bare subscriber."""
    replace = count <= 1000
    if not replace:
        times *= 4
        await place.process.ask("start", times)
    ours: list[float] = []
    bare: list[float] = []
    async with started("tests.bench.bare", str(place.port)) as subscriber:
        while len(ours) < times:
            bare += await subscriber.ask("wake", _TURN)
            ours += await place.process.ask("wake", _TURN, replace)
    return ours, bare


async def burst(place: Site, count: int, times: int) -> tuple[float, float]:
    """All at once: seconds from the first SET until the last has yielded; the same of the bare subscriber."""
    ours: list[float] = []
    bare: list[float] = []
    where = str(place.port)
    async with started("tests.bench.bare", where) as subscriber, started("tests.bench.bare", where) as writer:
        for _ in range(times):
            missing = count - await place.process.ask("waiting")
            if missing > 0:
                await place.process.ask("start", missing)
            bare.append(await _burst(subscriber, "listen", "all_heard", writer, _NOBODYS, count))
            first, waiting = await place.process.ask("first"), await place.process.ask("waiting")
            ours.append(await _burst(place.process, "first", "all_woken", writer, first, waiting))
    return statistics.median(ours), statistics.median(bare)


async def _burst(side: Child, begin: str, end: str, writer: Child, first: int, count: int) -> float:
    await side.ask(begin, *([first, count] if begin == "listen" else []))
    began: float = await writer.ask("write", first, count)
    ended: float = await side.ask(end)
    return ended - began


@dataclass(slots=True)
class Waited:
    """What was measured with so many waiting."""

    place: Site
    count: int
    #: seconds
    woken: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Of the wake-ups."""
        return statistics.median(self.woken)


async def measure(quick: bool) -> Found:
    """The rows, and what the plots show.

    :return: in ``wake_ups`` the milliseconds of each, by the number of waiting triggers as text, and
        ``"bare"``; in ``cost`` for each number ``waiting``, ``bytes`` of each, share of a ``core``,
        ``commands`` a second and ``wake_up`` (median, ms)
    """
    counts = (100,) if quick else (1, 100, 1000, 10_000)
    times, seconds = (_TURN, 3.0) if quick else (100, 60.0)
    async with AsyncExitStack() as stack:

        async def opened(module: str, *arguments: str) -> Site:
            return await stack.enter_async_context(site(f"tests.bench.{module}", *arguments))

        found = [Waited(await opened("waiters", "ready"), count) for count in counts]
        still, await_ = await opened("waiters", "still"), await opened("waiters", "await")
        sensors = await opened("pokers")
        begin = [each.place.begin(each.count) for each in found]
        begin += [still.begin(counts[-1]), await_.begin(counts[-1]), sensors.begin(1 if quick else 4)]
        await asyncio.gather(*begin)
        await asyncio.gather(*(place.idle(seconds) for place in (*(f.place for f in found), await_, sensors)))
        for each in found:
            each.woken, each.bare = await wake_ups(each.place, each.count, times)
        ours, bare = await burst(found[-1].place, counts[-1], 1 if quick else 3)
        limit, least = await await_.process.ask("limit"), await still.process.ask("release")
    rows = list(_wake_rows(found))
    work, note = f"{_number(counts[-1])} ready at once, until all have yielded", _LEAST.format(seconds=least)
    rows.append(Row(work, ours, "s", _BARE, bare, 2, note=note))
    rows += _idle_rows(found[-1], still.each, await_, limit)
    rows += _rows_of_each(found[-1].place, sensors)
    return Found(rows, _plots(found))


def _number(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")


def _quantile(seconds: list[float], part: float) -> float:
    return sorted(seconds)[min(int(part * len(seconds)), len(seconds) - 1)]


def _wake_rows(found: list[Waited]) -> Iterator[Row]:
    for each in found:
        work = f"wake-up, {_number(each.count)} waiting (median)"
        yield Row(work, each.median, "s", _BARE, statistics.median(each.bare), 3)
    work = f"wake-up, {_number(found[-1].count)} waiting (p99)"
    p99, other = (_quantile(seconds, 0.99) for seconds in (found[-1].woken, found[-1].bare))
    yield Row(work, p99, "s", _BARE, other, 5e-3, by_ratio=False)


def _idle_rows(ours: Waited, still: float, await_: Site, limit: str) -> Iterator[Row]:
    work, cost, other = f"{_number(ours.count)} wait: ", ours.place.cost, await_.cost
    beside, note = f"{_number(await_.count)} AwaitMessageTrigger", _AWAIT.format(limit=limit)
    yield Row(f"{work}commands", cost.commands, "/s", beside, other.commands, 0.2, by_ratio=False, note=note)
    connections = cost.connections, "", beside, other.connections
    yield Row(f"{work}connections", *connections, 1, by_ratio=False)
    yield Row(f"{work}CPU", cost.core * 100, "% of a core", beside, other.core * 100, 1, by_ratio=False)
    beyond = ours.place.each - still, "B", beside, await_.each - still
    counted = _COUNTED.format(still=f"{still / 1024:.1f}")
    yield Row(f"{work}memory of each", *beyond, 4096, by_ratio=False, note=counted)


def _rows_of_each(ours: Site, sensors: Site) -> Iterator[Row]:
    note = _SENSOR.format(count=sensors.count)
    yield Row("one that waits: memory in all", ours.each, "B", "RedisKeySensor", sensors.each, note=note)
    for what, value, other in (
        ("CPU, ms", ours.cost.core * 1000, sensors.cost.core * 1000),
        ("commands", ours.cost.commands, sensors.cost.commands),
    ):
        a_minute = 60 * value / ours.count, "/min", "RedisKeySensor", 60 * other / sensors.count
        yield Row(f"one that waits: {what}", *a_minute)


def _plots(found: list[Waited]) -> dict[str, Any]:
    woken = {"bare": sum((each.bare for each in found), [])}
    woken |= {str(each.count): each.woken for each in found}
    return {
        "wake_ups": {name: [second * 1000 for second in seconds] for name, seconds in woken.items()},
        "cost": [
            {
                "waiting": each.count,
                "bytes": each.place.each,
                "core": each.place.cost.core,
                "commands": each.place.cost.commands,
                "wake_up": each.median * 1000,
            }
            for each in found
        ],
    }
