"""One step of the engine in a night that has just begun, beside 10⁵, 10⁶ and 10⁷ log rows of history."""

from __future__ import annotations

import random
import statistics
import time
from contextlib import AsyncExitStack
from typing import Any, Final

from airflow_readiness import engine
from airflow_readiness.core.condition import combine, of_source
from airflow_readiness.demo.servers import Postgres
from airflow_readiness.store.store import Store, open_store
from tests.bench.databases import database
from tests.bench.rows import Row
from tests.history import live_through

SOURCES: Final = 1000
CONDITIONS: Final = 1000
#: Log rows of each source and day of the past: 400 days are 10⁷ of them.
LOGS: Final = 25

_NOTE: Final = (
    "history: 25 log rows of each source and day, half of them dated, and as many days of processed logs, "
    "launches and runs (400 days at 10 000 000 rows)"
)


def _flows() -> list[dict[str, Any]]:
    """Conditions of 1 to 20 sources; of each tenth source no flow knows."""
    chance = random.Random(1)
    names = [f"bench.s{number}" for number in range(SOURCES) if number % 10]
    conditions: set[str] = set()
    flows: list[dict[str, Any]] = []
    while len(flows) < CONDITIONS:
        condition = combine("all", [of_source(name) for name in chance.sample(names, chance.randint(1, 20))])
        if condition.text in conditions:
            continue
        conditions.add(condition.text)
        flows.append(
            {
                "dag_id": f"flow_{len(flows)}",
                "condition": condition.text,
                "expression": condition.to_json(),
                "sources": list(condition.sources),
                "paused": False,
                "broken": False,
            }
        )
    return flows


async def _age(store: Store, days: int) -> None:
    """A thousand sources with settings, as many conditions, their past, and today's dates just opened."""
    # two log rows make a source ready: with one it is changed, and still unmet
    await store.connection.execute(
        "select readiness.set_log_settings('bench', 's' || n, 20 + n % 3, n % 4 * 15, null, null, 2) "
        "from generate_series(0, $1::int - 1) as n",
        SOURCES,
    )
    await store.run("upsert_flows", _flows())
    await store.connection.execute("update readiness.flow set first_date = current_date - $1::int", days)
    await live_through(store.connection, days, SOURCES, LOGS)
    await engine.tick(store, everything=True)
    await store.connection.execute("vacuum analyze")


async def _step(store: Store, number: int) -> float:
    """Seconds of a step in which one source has logged: it is counted, and its conditions are evaluated."""
    await store.connection.execute("select readiness.report_log('bench', $1, current_date)", f"s{number}")
    began = time.perf_counter()
    result = await engine.tick(store)
    assert len(result.changed) == 1 and not result.launched
    return time.perf_counter() - began


async def _full_step(store: Store) -> float:
    """Seconds of a step that evaluates all conditions, as every half a minute."""
    began = time.perf_counter()
    result = await engine.tick(store, everything=True)
    assert len(result.planned) == CONDITIONS
    return time.perf_counter() - began


async def steps(server: Postgres, quick: bool) -> list[Row]:
    """Each step in turn on all histories, so that what else the machine does meets all."""
    days = (1, 4) if quick else (4, 40, 400)
    times = 5 if quick else 24
    async with AsyncExitStack() as stack:
        stores = []
        for number in days:
            dsn = await stack.enter_async_context(database(server, f"bench_{number}"))
            stores.append(await stack.enter_async_context(open_store(dsn)))
            await _age(stores[-1], number)
        # what loading has left to do is done
        await stores[0].connection.execute("checkpoint")
        single: list[list[float]] = [[] for _ in stores]
        full: list[list[float]] = [[] for _ in stores]
        for turn in range(times + 1):
            for place, store in enumerate(stores):
                single[place].append(await _step(store, turn))
                if turn % 4 == 0:
                    full[place].append(await _full_step(store))
    return [
        *_rows("a step", days, single, "1 source of 1\u202f000 unmet has logged. " + _NOTE),
        *_rows("a full step", days, full, "all 1\u202f000 conditions are evaluated, every 30 s"),
    ]


def _rows(work: str, days: tuple[int, ...], seconds: list[list[float]], note: str) -> list[Row]:
    # the first of each is with a cold cache
    medians = [statistics.median(each[1:]) for each in seconds]
    sizes = [f"{number * SOURCES * LOGS:,}".replace(",", "\u202f") for number in days]
    first = f"{sizes[0]} rows"
    return [
        Row(f"{work}, {size} rows of history", median, "s", first, medians[0], 1.3, note=note)
        for size, median in list(zip(sizes, medians, strict=True))[1:]
    ]
