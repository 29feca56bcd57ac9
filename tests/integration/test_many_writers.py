"""A hundred writers at once, and one with a hundred thousand rows."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import asyncpg
import pytest

from airflow_readiness import engine
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import Condition, of_source
from airflow_readiness.store.store import Store, open_store
from airflow_readiness_triggers import processor as processor_module
from airflow_readiness_triggers.processor import Processor

pytestmark = pytest.mark.usefixtures("nothing_left_behind")

AtWork: TypeAlias = Callable[..., contextlib.AbstractAsyncContextManager[asyncio.Task[Any]]]
Eventually: TypeAlias = Callable[..., Awaitable[Any]]
AddFlow: TypeAlias = Callable[[str, Condition, dt.date], Any]

WRITERS = 100
SOURCES = [f"hive.t{number}" for number in range(20)]
LOGS = 5


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, str]]:
    """How often each source changed to each state, by the steps of the engine."""
    counts: Counter[tuple[str, str]] = Counter()
    last: dict[str, str] = {}
    tick = engine.tick

    async def counted(*args: Any, **kwargs: Any) -> engine.Tick:
        result = await tick(*args, **kwargs)
        for known in result.changed:
            if last.get(known.source) != known.state.value:
                counts[known.source, known.state.value] += 1
                last[known.source] = known.state.value
        return result

    monkeypatch.setattr(engine, "tick", counted)
    return counts


async def test_a_hundred_writers_lose_no_log_and_each_source_is_ready_once(
    settings: Config,
    fragile: Endpoints,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
    became: Counter[tuple[str, str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_store(fragile.postgres) as store:
        await engine.configure(store, settings)
        needed = WRITERS * LOGS
        for name in SOURCES:
            await store.connection.execute(
                "select readiness.set_log_settings($1, $2, 23, 59, null, null, $3)", *name.split("."), needed
            )
        flows = [
            {
                "dag_id": name,
                "condition": name,
                "expression": name,
                "sources": [name],
                "paused": False,
                "broken": False,
            }
            for name in SOURCES
        ]
        await store.run("upsert_flows", flows)

        async def writer(number: int) -> None:
            connection = await asyncpg.connect(**fragile.postgres)
            try:
                for log in range(LOGS):
                    # some in one transaction for all sources, each writer in an order of its own
                    order = SOURCES[number % 20 :] + SOURCES[: number % 20]
                    async with connection.transaction() if log % 2 else contextlib.nullcontext():
                        for name in order:
                            await connection.execute(
                                "select readiness.report_log($1, $2, $3, load_id => $4)",
                                *name.split("."),
                                today,
                                f"{number}-{log}",
                            )
            finally:
                await connection.close()

        async with at_work(Processor(settings, fragile).serve()):
            await asyncio.gather(*map(writer, range(WRITERS)))

            async def all_launched() -> bool:
                count: int = await store.connection.fetchval("select count(*) from readiness.launch")
                return count == len(SOURCES)

            await eventually(all_launched, within=30)
            # and signalled, which comes after
            await eventually(lambda: sum(became[name, "ready"] for name in SOURCES) >= len(SOURCES), within=30)
        assert await store.connection.fetchval("select count(*) from readiness.fm_log") == needed * len(SOURCES)
        rows = await store.connection.fetch("select source, state, log_count from readiness.processed_log")
        assert {tuple(row) for row in rows} == {(name, "ready", needed) for name in SOURCES}
        assert {key: count for key, count in became.items() if key[1] == "ready"} == {
            (name, "ready"): 1 for name in SOURCES
        }
        assert "the processor cannot work" not in caplog.text


async def test_a_hundred_thousand_rows_in_one_transaction_ring_once_and_hold_nobody_up(
    store: Store,
    settings: Config,
    endpoints: Endpoints,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
    add_flow: AddFlow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processor_module, "SAFETY", 3600)
    await engine.configure(store, settings)
    # it needs more than there is, so that every step counts all of its rows
    await store.connection.execute(
        "select readiness.set_log_settings('hive', 'big', 23, 59, null, null, 1000000)"
    )
    await add_flow("small", of_source("hive.small"), today)
    bells: list[str] = []
    async with open_store(endpoints.postgres) as ears:
        await ears.ring_on(bells.append)
        async with at_work(Processor(settings, endpoints).serve()):
            async with store.connection.transaction():
                await store.connection.execute(
                    "insert into readiness.fm_log (source_database, source_table, business_date, load_id) "
                    "select 'hive', 'big', case when n % 2 = 0 then $1::date end, 'load ' || n "
                    "from generate_series(1, 100000) as n",
                    today,
                    timeout=60,
                )

            async def counted() -> bool:
                return bool(
                    await store.connection.fetchval(
                        "select log_count = 100000 from readiness.processed_log where source = 'hive.big'"
                    )
                )

            await eventually(counted, within=15)
            assert bells.count("fm_log") == 1
            began = asyncio.get_running_loop().time()
            await store.connection.execute("select readiness.report_log('hive', 'small', $1)", today)
            await eventually(lambda: store.fetch("snapshot_launches"))
            # the contract's bound for everything, although each step counts the hundred thousand again
            assert asyncio.get_running_loop().time() - began < 5
    logs = await store.connection.fetchval("select logs from readiness.processed_log where source = 'hive.big'")
    assert len(logs) == 20, "the first of them, not all"
    assert len(json.dumps(logs)) < 5000


async def test_the_evidence_of_long_ids_is_bounded(store: Store, today: dt.date, settings: Config) -> None:
    await engine.configure(store, settings)
    await store.connection.execute("select readiness.expect('hive', 'big', $1)", today)
    for number in range(3):
        await store.connection.execute(
            "select readiness.report_log('hive', 'big', $1, load_id => repeat('x', 5000000) || $2)",
            today,
            str(number),
        )
    await store.fetch("advance", None)
    size = await store.connection.fetchval(
        "select octet_length(logs::text) from readiness.processed_log where source = 'hive.big'"
    )
    assert size < 5000
