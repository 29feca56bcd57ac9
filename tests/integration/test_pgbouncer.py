"""Behind a pgbouncer in transaction mode everything works; only the bell is replaced by a timer."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from airflow_readiness import engine
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import Condition, of_source
from airflow_readiness.core.names import SNAPSHOT_KEY
from airflow_readiness.demo.servers import Postgres
from airflow_readiness.store.store import Store, open_store
from airflow_readiness_triggers import processor as processor_module
from airflow_readiness_triggers.collector import Collector
from airflow_readiness_triggers.processor import Processor
from airflow_readiness_triggers.tasks import stop
from tests.integration.own_postgres import PGBOUNCER, pgbouncer

pytestmark = [
    pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind"),
    pytest.mark.skipif(not PGBOUNCER, reason="no pgbouncer: apt-get install pgbouncer"),
]

AtWork: TypeAlias = Callable[..., contextlib.AbstractAsyncContextManager[asyncio.Task[Any]]]
Eventually: TypeAlias = Callable[..., Awaitable[Any]]

SALES = of_source("hive.sales")


@pytest_asyncio.fixture
async def pooled(postgres: Postgres, endpoints: Endpoints) -> AsyncIterator[Endpoints]:
    """The same database through a pooler."""
    # its start waits for a port
    with contextlib.ExitStack() as stack:
        port = await asyncio.to_thread(stack.enter_context, pgbouncer(postgres))
        yield Endpoints({**endpoints.postgres, "host": "127.0.0.1", "port": port}, endpoints.redis)


async def test_launches_come_by_a_timer_of_one_second_and_it_is_said_once(
    store: Store,
    redis: Redis,
    settings: Config,
    pooled: Endpoints,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
    add_flow: Callable[[str, Condition, dt.date], Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(processor_module, "SELF_TEST", 0.5)
    monkeypatch.setattr(processor_module, "SAFETY", 2)
    await engine.configure(store, settings)
    await add_flow("flow", SALES, today)
    collector = asyncio.create_task(Collector(settings, pooled, []).something_due())
    try:
        async with at_work(Processor(settings, pooled).serve()):
            await eventually(lambda: redis.get(SNAPSHOT_KEY))
            await eventually(lambda: "LISTEN hears nothing" in caplog.text)
            await store.connection.execute("select readiness.report_log('hive', 'sales', $1)", today)
            await eventually(lambda: store.fetch("snapshot_launches"), within=3)
            assert await asyncio.wait_for(collector, 5) == "launches"

            # it looks at the bell again with every full step
            async def beats() -> bool:
                return bool(
                    await store.connection.fetchval(
                        "select beat_at > clock_timestamp() - interval '1 s' from readiness.heartbeat "
                        "where part = 'processor' and detail = '{\"deaf\": true, \"redis\": true}'"
                    )
                )

            for _ in range(3):
                await eventually(beats)
    finally:
        await stop(collector)
    assert caplog.text.count("LISTEN hears nothing") == 1
    assert "connect to Postgres directly" in caplog.text
    assert "the processor cannot work" not in caplog.text


async def test_steps_of_many_clients_wait_for_each_other_and_leave_no_lock(
    store: Store,
    settings: Config,
    pooled: Endpoints,
    today: dt.date,
    add_flow: Callable[[str, Condition, dt.date], Any],
) -> None:
    await engine.configure(store, settings)
    await add_flow("flow", SALES, today)

    async def client(number: int) -> int:
        async with open_store(pooled.postgres) as pooled_store:
            await pooled_store.connection.execute(
                "select readiness.report_log('hive', 'sales', $1, load_id => $2)", today, str(number)
            )
            launched = 0
            for _ in range(5):
                launched += len((await engine.tick(pooled_store, everything=True)).launched)
            return launched

    assert sum(await asyncio.gather(*map(client, range(20)))) == 1
    assert await store.connection.fetchval("select count(*) from pg_locks where locktype = 'advisory'") == 0
    # what one transaction set is gone with it: the pool's sessions are everybody's
    async with open_store(pooled.postgres) as pooled_store:
        assert await pooled_store.connection.fetchval("show idle_in_transaction_session_timeout") == "0"
