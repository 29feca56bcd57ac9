"""Postgres is restarted, loses its sessions, or hangs: launches come all the same, and nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import asyncpg
import pytest
from redis.asyncio import Redis

from airflow_readiness import engine
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import of_source
from airflow_readiness.core.document import load_launch
from airflow_readiness.core.names import SNAPSHOT_KEY, launch_key
from airflow_readiness.store.store import Store, open_store
from airflow_readiness_triggers import processor as processor_module
from airflow_readiness_triggers.collector import Collector
from airflow_readiness_triggers.processor import Processor
from airflow_readiness_triggers.tasks import stop
from tests.integration.own_postgres import OwnPostgres, frozen

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

AtWork: TypeAlias = Callable[..., contextlib.AbstractAsyncContextManager[asyncio.Task[Any]]]
Eventually: TypeAlias = Callable[..., Awaitable[Any]]

SALES = of_source("hive.sales")


async def flow(dsn: dict[str, Any], settings: Config) -> None:
    """A flow on one source, from today on."""
    async with open_store(dsn) as store:
        await engine.configure(store, settings)
        row = {
            "dag_id": "flow",
            "condition": SALES.text,
            "expression": SALES.to_json(),
            "sources": list(SALES.sources),
            "paused": False,
            "broken": False,
        }
        await store.run("upsert_flows", [row])


async def report(dsn: dict[str, Any], day: dt.date) -> None:
    async with open_store(dsn) as store:
        await store.connection.execute("select readiness.report_log('hive', 'sales', $1)", day)


async def launches(dsn: dict[str, Any]) -> list[dt.date]:
    async with open_store(dsn) as store:
        rows = await store.connection.fetch("select business_date from readiness.launch order by 1")
        return [row["business_date"] for row in rows]


async def sessions(dsn: dict[str, Any]) -> list[int]:
    """The sessions of ours on this database apart from this one."""
    connection = await asyncpg.connect(**dsn)
    try:
        rows = await connection.fetch(
            "select pid from pg_stat_activity where datname = current_database() "
            "and pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
        return [row["pid"] for row in rows]
    finally:
        await connection.close()


@pytest.fixture
async def nobody_connected(fragile: Endpoints, eventually: Eventually) -> AsyncIterator[None]:
    """After the test no connection is left."""
    yield

    async def nobody() -> bool:
        return not await sessions(fragile.postgres)

    await eventually(nobody)


async def at_rest(dsn: dict[str, Any], redis: Redis, eventually: Eventually) -> None:
    """The processor has written everything and waits on its one connection."""
    await eventually(lambda: redis.get(SNAPSHOT_KEY), within=30)

    async def idle() -> bool:
        connection = await asyncpg.connect(**dsn)
        try:
            return bool(
                await connection.fetchval(
                    "select count(*) = 1 and bool_and(state = 'idle' "
                    "  and state_change < clock_timestamp() - interval '0.3 s') from pg_stat_activity "
                    "where application_name = 'airflow-readiness' and datname = current_database()"
                )
            )
        finally:
            await connection.close()

    await eventually(idle, within=30)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
@pytest.mark.usefixtures("nobody_connected")
async def test_a_restart_of_the_server_is_outlived_and_a_log_after_it_launches_at_once(
    own_postgres: OwnPostgres,
    fragile: Endpoints,
    redis: Redis,
    settings: Config,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mode: str,
) -> None:
    monkeypatch.setattr(processor_module, "SAFETY", 3600)
    dsn = fragile.postgres
    await flow(dsn, settings)
    collector = asyncio.create_task(Collector(settings, fragile, []).something_due())
    try:
        async with at_work(Processor(settings, fragile).serve()):
            await eventually(lambda: redis.get(SNAPSHOT_KEY))
            await asyncio.to_thread(own_postgres.restart, mode)
            assert await launches(dsn) == []
            await report(dsn, today)

            async def launched() -> bool:
                return await launches(dsn) == [today]

            await eventually(launched, within=15)
            assert await asyncio.wait_for(collector, 15) == "launches"
    finally:
        await stop(collector)
    assert await launches(dsn) == [today]
    assert caplog.text.count("the processor cannot work") <= 3, "each kind of refusal once"


@pytest.mark.usefixtures("nobody_connected")
async def test_a_log_that_was_committed_before_a_crash_launches_after_it(
    own_postgres: OwnPostgres,
    fragile: Endpoints,
    settings: Config,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
) -> None:
    dsn = fragile.postgres
    await flow(dsn, settings)
    await report(dsn, today)
    await asyncio.to_thread(own_postgres.restart, "immediate")
    async with at_work(Processor(settings, fragile).serve()):

        async def launched() -> bool:
            return await launches(dsn) == [today]

        await eventually(launched)


@pytest.mark.usefixtures("nobody_connected")
async def test_sessions_that_are_terminated_again_and_again_are_replaced(
    fragile: Endpoints,
    redis: Redis,
    settings: Config,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processor_module, "SAFETY", 3600)
    dsn = fragile.postgres
    await flow(dsn, settings)
    async with at_work(Processor(settings, fragile).serve()):
        await eventually(lambda: redis.get(SNAPSHOT_KEY))
        async with open_store(dsn) as store:
            for number in range(60):
                if number % 3 == 0:
                    await store.connection.execute(
                        "select readiness.report_log('hive', 'other', load_id => $1)", str(number)
                    )
                await store.connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() "
                    "and datname = current_database() and application_name = 'airflow-readiness'"
                )
                await asyncio.sleep(0.02)
        await report(dsn, today)

        async def launched() -> bool:
            return await launches(dsn) == [today]

        await eventually(launched, within=20)


async def due_by_redis(redis: Redis, day: dt.date) -> dt.datetime | None:
    document = await redis.get(launch_key(SALES.text, day.isoformat()))
    return load_launch(document).due_at if document else None


@pytest.mark.usefixtures("nobody_connected")
async def test_with_a_postgres_that_hangs_the_collector_turns_to_redis_within_the_contract(
    own_postgres: OwnPostgres,
    fragile: Endpoints,
    redis: Redis,
    settings: Config,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    dsn = fragile.postgres
    await flow(dsn, settings)
    deadline = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=4)
    async with open_store(dsn) as store:
        await store.run("expect", "hive", "sales", today, deadline)
    async with at_work(Processor(settings, fragile).serve()):
        await at_rest(dsn, redis, eventually)
        collector = asyncio.create_task(Collector(settings, fragile, []).something_due())
        try:
            # it has looked, and would look again in half a minute
            async def waits() -> bool:
                return len(await sessions(dsn)) == 2 and await due_by_redis(redis, today) == deadline

            await eventually(waits)
            await asyncio.sleep(0.5)
            with own_postgres.frozen():
                assert not collector.done()
                assert dt.datetime.now(dt.timezone.utc) < deadline
                assert await asyncio.wait_for(collector, 25) == "launches"
                late = dt.datetime.now(dt.timezone.utc) - deadline
                # the worker comes after that: it gives up a connection attempt after 5 s, and publishes
                assert dt.timedelta(0) <= late < dt.timedelta(seconds=15)
                # the processor has noticed too, and waits for it to come back
                await eventually(lambda: "the processor cannot work" in caplog.text, within=30)
        finally:
            await stop(collector)

        async def launched() -> bool:
            return await launches(dsn) == [today]

        await eventually(launched, within=40)
    assert caplog.text.count("Postgres cannot be read") == 1


@pytest.mark.usefixtures("nobody_connected")
async def test_a_session_that_hangs_is_given_up_at_the_deadline(
    fragile: Endpoints,
    redis: Redis,
    settings: Config,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
) -> None:
    dsn = fragile.postgres
    await flow(dsn, settings)
    deadline = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=2)
    async with open_store(dsn) as store:
        await store.run("expect", "hive", "sales", today, deadline)
    async with at_work(Processor(settings, fragile).serve()):
        await at_rest(dsn, redis, eventually)
        with frozen(await sessions(dsn)):

            async def launched() -> bool:
                return await launches(dsn) == [today]

            await eventually(launched, within=20)
            assert dt.datetime.now(dt.timezone.utc) - deadline < dt.timedelta(seconds=15)


async def test_a_client_that_is_cut_off_in_its_step_does_not_stop_the_others_for_long(
    dsn: dict[str, Any], store: Store
) -> None:
    async with open_store(dsn) as cut_off:
        step = cut_off.connection.transaction()
        await step.start()
        await cut_off.run("serialise")
        # within the 15 s after which a query is given up
        await engine.tick(store)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
            await cut_off.fetch("clock")
