"""The processor: a committed log row reaches Redis and launches its flow, whatever fails meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import asyncpg
import pytest
from airflow.triggers.base import TaskSuccessEvent
from redis.asyncio import Redis

from airflow_readiness import config, engine
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import combine, of_source
from airflow_readiness.core.document import load_launch, load_readiness
from airflow_readiness.core.names import SNAPSHOT_KEY, launch_key, source_key
from airflow_readiness.core.state import Outcome, State
from airflow_readiness.demo.servers import RedisServer
from airflow_readiness.signal.client import open_server
from airflow_readiness.store.migrate import upgrade
from airflow_readiness.store.store import Store, open_store
from airflow_readiness_triggers import hub as hub_module
from airflow_readiness_triggers import processor as processor_module
from airflow_readiness_triggers.processor import Processor, ProcessorTrigger
from airflow_readiness_triggers.tasks import stop

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

AtWork: TypeAlias = Callable[..., contextlib.AbstractAsyncContextManager[asyncio.Task[Any]]]
Eventually: TypeAlias = Callable[..., Awaitable[Any]]

BOTH = combine("all", [of_source("hive.sales"), of_source("hive.stores")])


@pytest.fixture
def no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens in this test happens without waiting for a timer."""
    monkeypatch.setattr(processor_module, "SAFETY", 3600)
    monkeypatch.setattr(processor_module, "DEAF", 3600)
    monkeypatch.setattr(hub_module, "REREAD", 3600)


async def flow(store: Store, settings: Config, *, paused: bool = False) -> None:
    """A flow on both sources, from today on."""
    await engine.configure(store, settings)
    row = {
        "dag_id": "flow",
        "condition": BOTH.text,
        "expression": BOTH.to_json(),
        "sources": list(BOTH.sources),
        "paused": paused,
        "broken": False,
    }
    await store.run("upsert_flows", [row])


async def log_row(store: Store, name: str, day: dt.date) -> None:
    database, table = name.split(".")
    await store.connection.execute(
        "insert into readiness.fm_log (source_database, source_table, business_date) values ($1, $2, $3)",
        database,
        table,
        day,
    )


async def state(redis: Redis, name: str, day: dt.date) -> State | None:
    document = await redis.get(source_key(name, day.isoformat()))
    return load_readiness(document).state if document else None


@pytest.fixture
def reaches(redis: Redis, today: dt.date, eventually: Eventually) -> Callable[..., Awaitable[None]]:
    """Wait until a source is in a state, by Redis."""

    async def wait(name: str, wanted: State, within: float = 10) -> None:
        async def there() -> bool:
            return await state(redis, name, today) is wanted

        await eventually(there, within)

    return wait


async def sessions(store: Store) -> list[int]:
    """The connections of ours to this database apart from the test's own."""
    rows = await store.connection.fetch(
        "select pid from pg_stat_activity where application_name = 'airflow-readiness' "
        "and datname = current_database() and pid <> pg_backend_pid()"
    )
    return [row["pid"] for row in rows]


async def at_rest(store: Store, redis: Redis, eventually: Eventually) -> None:
    """Wait until the processor has written everything and waits."""
    await eventually(lambda: redis.get(SNAPSHOT_KEY))

    async def idle() -> bool:
        return bool(
            await store.connection.fetchval(
                "select count(*) = 1 from pg_stat_activity where application_name = 'airflow-readiness' "
                "and datname = current_database() and pid <> pg_backend_pid() and state = 'idle' "
                "and state_change < clock_timestamp() - interval '0.3 s'"
            )
        )

    await eventually(idle)


@pytest.mark.usefixtures("no_timer")
async def test_a_log_row_is_ready_in_redis_and_launches_the_flow_without_a_timer(
    store: Store,
    redis: Redis,
    settings: Config,
    endpoints: Endpoints,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
    reaches: Callable[..., Awaitable[None]],
) -> None:
    await flow(store, settings)
    key = launch_key(BOTH.text, today.isoformat())
    async with at_work(Processor(settings, endpoints).serve()):
        await at_rest(store, redis, eventually)
        assert await state(redis, "hive.sales", today) is State.WAITING
        assert load_launch(await redis.get(key) or "").decided_at is None, "a plan"
        await log_row(store, "hive.sales", today)
        await reaches("hive.sales", State.READY)
        assert await store.fetch("snapshot_launches") == []
        await at_rest(store, redis, eventually)
        await log_row(store, "hive.stores", today)

        async def launched() -> bool:
            return load_launch(await redis.get(key) or "").decided_at is not None

        await eventually(launched)
        (row,) = await store.fetch("snapshot_launches")
        assert (row["condition"], row["business_date"]) == (BOTH.text, today)
        assert load_launch(row["evidence"]) == load_launch(await redis.get(key) or "")
        assert set(load_launch(row["evidence"]).outcomes.values()) == {Outcome.READY}


@pytest.mark.usefixtures("no_timer")
async def test_a_flow_that_comes_after_its_sources_were_ready_is_launched_at_once(
    store: Store,
    redis: Redis,
    settings: Config,
    endpoints: Endpoints,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
) -> None:
    await engine.configure(store, settings)
    for name in BOTH.sources:
        await store.run("expect", *name.split("."), today, None)
        await log_row(store, name, today)
    async with at_work(Processor(settings, endpoints).serve()):
        await at_rest(store, redis, eventually)
        await flow(store, settings)
        await eventually(lambda: store.fetch("snapshot_launches"))


@pytest.mark.usefixtures("no_timer")
async def test_a_deadline_strikes_by_the_clock_without_a_bell(
    store: Store,
    redis: Redis,
    settings: Config,
    endpoints: Endpoints,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
) -> None:
    await flow(store, settings)
    deadline = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=1)
    for name in BOTH.sources:
        await store.run("expect", *name.split("."), today, deadline)
    async with at_work(Processor(settings, endpoints).serve()):
        (row,) = await eventually(lambda: store.fetch("snapshot_launches"))
        launch = load_launch(row["evidence"])
        assert set(launch.outcomes.values()) == {Outcome.DEADLINE}
        assert dt.timedelta(0) <= row["decided_at"] - deadline < dt.timedelta(seconds=1)

        async def told() -> bool:
            return await state(redis, "hive.sales", today) is State.MISSED

        await eventually(told)


@pytest.mark.usefixtures("no_timer")
async def test_a_redis_that_was_flushed_is_rebuilt_by_the_next_change(
    store: Store,
    redis: Redis,
    settings: Config,
    endpoints: Endpoints,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
    reaches: Callable[..., Awaitable[None]],
) -> None:
    await flow(store, settings)
    await log_row(store, "hive.sales", today)
    async with at_work(Processor(settings, endpoints).serve()):
        await at_rest(store, redis, eventually)
        await redis.flushall()
        await log_row(store, "hive.stores", today)
        await reaches("hive.stores", State.READY)
        await reaches("hive.sales", State.READY)


async def test_a_redis_that_was_flushed_is_rebuilt_although_nothing_changes(
    store: Store,
    redis: Redis,
    settings: Config,
    endpoints: Endpoints,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
    reaches: Callable[..., Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processor_module, "SAFETY", 3600)
    monkeypatch.setattr(hub_module, "REREAD", 0.2)
    await flow(store, settings)
    await log_row(store, "hive.sales", today)
    async with at_work(Processor(settings, endpoints).serve()):
        await reaches("hive.sales", State.READY)
        await eventually(lambda: redis.get(SNAPSHOT_KEY))
        await redis.flushall()
        await reaches("hive.sales", State.READY)
        assert await eventually(lambda: redis.get(SNAPSHOT_KEY))


async def test_a_redis_that_was_restarted_empty_is_rebuilt(
    monkeypatch: pytest.MonkeyPatch,
    store: Store,
    settings: Config,
    own_endpoints: Endpoints,
    own_redis: RedisServer,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
) -> None:
    monkeypatch.setattr(processor_module, "SAFETY", 3600)
    monkeypatch.setattr(hub_module, "REREAD", 3600)
    await flow(store, settings)
    await log_row(store, "hive.sales", today)
    async with at_work(Processor(settings, own_endpoints).serve()):
        for _ in range(2):
            async with open_server(own_endpoints.redis) as redis:
                await eventually(lambda: redis.get(SNAPSHOT_KEY))
                assert await state(redis, "hive.sales", today) is State.READY
            await asyncio.to_thread(own_redis.stop)
            await asyncio.to_thread(own_redis.start)
        async with open_server(own_endpoints.redis) as redis:
            await eventually(lambda: redis.get(SNAPSHOT_KEY))


async def test_it_works_on_while_redis_is_down_and_writes_it_when_it_is_back(
    store: Store,
    settings: Config,
    own_endpoints: Endpoints,
    own_redis: RedisServer,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processor_module, "DEAF", 0.1)
    await flow(store, settings)
    async with at_work(Processor(settings, own_endpoints).serve()):
        async with open_server(own_endpoints.redis) as redis:
            await eventually(lambda: redis.get(SNAPSHOT_KEY))
        await asyncio.to_thread(own_redis.stop)
        for name in BOTH.sources:
            await log_row(store, name, today)
        await eventually(lambda: store.fetch("snapshot_launches"))
        await asyncio.to_thread(own_redis.start)
        async with open_server(own_endpoints.redis) as redis:
            await eventually(lambda: redis.get(SNAPSHOT_KEY))
            assert await state(redis, "hive.sales", today) is State.READY
            launch = load_launch(await redis.get(launch_key(BOTH.text, today.isoformat())) or "")
            assert launch.decided_at is not None
    assert caplog.text.count("Redis cannot be written") == 1


@pytest.mark.usefixtures("no_timer")
async def test_a_lost_postgres_session_is_replaced_at_once(
    store: Store,
    redis: Redis,
    settings: Config,
    endpoints: Endpoints,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
    reaches: Callable[..., Awaitable[None]],
) -> None:
    await flow(store, settings)
    async with at_work(Processor(settings, endpoints).serve()):
        await at_rest(store, redis, eventually)
        (pid,) = await sessions(store)
        assert await store.connection.fetchval("select pg_terminate_backend($1)", pid)
        await log_row(store, "hive.sales", today)
        await reaches("hive.sales", State.READY)
        assert await sessions(store) != [pid]
        await log_row(store, "hive.stores", today)
        await reaches("hive.stores", State.READY)


async def test_without_the_doorbell_it_works_by_a_timer_and_says_so_once(
    store: Store,
    redis: Redis,
    settings: Config,
    endpoints: Endpoints,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
    reaches: Callable[..., Awaitable[None]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processor_module, "SAFETY", 0.3)
    monkeypatch.setattr(processor_module, "DEAF", 0.1)
    await flow(store, settings)
    await store.connection.execute("update readiness.deployment set doorbell = false")
    async with at_work(Processor(settings, endpoints).serve()):
        await eventually(lambda: "the doorbell is switched off" in caplog.text)
        # from here on only DEAF can help
        monkeypatch.setattr(processor_module, "SAFETY", 3600)
        await at_rest_of_snapshot(redis, eventually)
        await log_row(store, "hive.sales", today)
        await reaches("hive.sales", State.READY)
        monkeypatch.setattr(processor_module, "SAFETY", 0)
        beats = [row["beat_at"] for row in await store.fetch("heartbeats")]

        async def three_more() -> bool:
            beats.extend(row["beat_at"] for row in await store.fetch("heartbeats"))
            return len(set(beats)) > 3

        await eventually(three_more)
    assert caplog.text.count("the doorbell is switched off") == 1


async def at_rest_of_snapshot(redis: Redis, eventually: Eventually) -> None:
    await eventually(lambda: redis.get(SNAPSHOT_KEY))


async def test_a_pooler_that_swallows_notifications_is_found_out(
    store: Store,
    settings: Config,
    endpoints: Endpoints,
    today: dt.date,
    at_work: AtWork,
    reaches: Callable[..., Awaitable[None]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def deaf(_store: Store, _listener: Callable[[str], None]) -> None:
        return None

    monkeypatch.setattr(Store, "ring_on", deaf)
    monkeypatch.setattr(processor_module, "SELF_TEST", 0.2)
    monkeypatch.setattr(processor_module, "DEAF", 0.1)
    monkeypatch.setattr(processor_module, "SAFETY", 3600)
    await flow(store, settings)
    async with at_work(Processor(settings, endpoints).serve()):
        await reaches("hive.sales", State.WAITING)
        await log_row(store, "hive.sales", today)
        await reaches("hive.sales", State.READY)
    assert caplog.text.count("LISTEN hears nothing on connection 'readiness_postgres'") == 1


async def test_a_missing_schema_is_said_once_and_work_begins_when_it_is_there(
    empty_dsn: dict[str, Any],
    redis_server: RedisServer,
    settings: Config,
    at_work: AtWork,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempts = []

    @contextlib.asynccontextmanager
    async def counted(dsn: dict[str, Any]) -> AsyncIterator[Store]:
        attempts.append(dsn)
        async with open_store(dsn) as opened:
            yield opened

    monkeypatch.setattr(processor_module, "open_store", counted)
    endpoints = Endpoints(empty_dsn, {"host": "127.0.0.1", "port": redis_server.port, "db": 0})
    async with at_work(Processor(settings, endpoints).serve()):
        await eventually(lambda: len(attempts) >= 4)
        assert caplog.text.count("airflow readiness db upgrade") == 1
        connection = await asyncpg.connect(**empty_dsn)
        try:
            await upgrade(connection)

            async def at_it() -> bool:
                return bool(await connection.fetchval("select count(*) from readiness.heartbeat"))

            await eventually(at_it, within=15)
        finally:
            await connection.close()


async def test_cancelled_at_any_time_it_closes_its_connections(
    store: Store, redis: Redis, settings: Config, endpoints: Endpoints, eventually: Eventually
) -> None:
    await flow(store, settings)
    me = str(await redis.client_id())
    before = asyncio.all_tasks()

    async def closed() -> bool:
        strangers = [each for each in await redis.client_list() if each["id"] != me]
        return not strangers and not await sessions(store)

    for step in range(40):
        task = asyncio.create_task(Processor(settings, endpoints).serve())
        await asyncio.wait({task}, timeout=step * 0.004)
        assert not task.done()
        await asyncio.wait_for(stop(task), 5)
        assert asyncio.all_tasks() == before
        await eventually(closed)


def point_airflow_at(monkeypatch: pytest.MonkeyPatch, settings: Config, endpoints: Endpoints) -> None:
    """Let the configuration of Airflow say this."""

    async def resolved(_settings: Config) -> Endpoints:
        return endpoints

    monkeypatch.setattr(config, "load", lambda: settings)
    monkeypatch.setattr(config, "aendpoints", resolved)


async def test_the_trigger_ends_the_task_without_a_worker_when_it_has_grown_old(
    store: Store,
    settings: Config,
    endpoints: Endpoints,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Eventually,
) -> None:
    point_airflow_at(monkeypatch, settings, endpoints)
    events = [event async for event in ProcessorTrigger(rotate=1).run()]
    assert [type(event) for event in events] == [TaskSuccessEvent]
    assert {row["part"] for row in await store.fetch("heartbeats")} == {"processor"}

    async def closed() -> bool:
        return not await sessions(store)

    await eventually(closed)


async def test_a_trigger_that_is_cancelled_ends_its_processor(
    store: Store,
    settings: Config,
    endpoints: Endpoints,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Eventually,
) -> None:
    point_airflow_at(monkeypatch, settings, endpoints)

    async def run() -> None:
        async for _ in ProcessorTrigger(rotate=60).run():
            pass

    task = asyncio.create_task(run())
    await eventually(lambda: store.fetch("heartbeats"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)

    async def closed() -> bool:
        return not await sessions(store)

    await eventually(closed)
