"""The collector's wait: launches at once, sources after some quiet, Redis where Postgres is away."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
import pytest_asyncio
from airflow.triggers.base import TaskSuccessEvent
from redis.asyncio import Redis

from airflow_readiness import config, engine
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import of_source
from airflow_readiness.core.document import Launch
from airflow_readiness.demo.servers import free_port
from airflow_readiness.signal import snapshot
from airflow_readiness.store.store import Store
from airflow_readiness_triggers import collector as collector_module
from airflow_readiness_triggers.collector import Collector, CollectorTrigger
from airflow_readiness_triggers.tasks import stop

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

Eventually: TypeAlias = Callable[..., Awaitable[Any]]

SALES = of_source("hive.sales")


def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


async def flow(store: Store, settings: Config, *, paused: bool = False) -> None:
    await engine.configure(store, settings)
    row = {
        "dag_id": "flow",
        "condition": SALES.text,
        "expression": SALES.to_json(),
        "sources": list(SALES.sources),
        "paused": paused,
        "broken": False,
    }
    await store.run("upsert_flows", [row])


async def decide(store: Store, redis: Redis | None, day: dt.date) -> None:
    """What the processor does when the condition is satisfied."""
    launch = Launch(SALES, day, {}, decided_at=now())
    await store.connection.execute(
        "insert into readiness.launch (condition, business_date, decided_at, evidence) values ($1, $2, $3, $4)",
        SALES.text,
        day,
        now(),
        launch.to_json(),
    )
    if redis is not None:
        await snapshot.write(redis, [], [launch])


async def settle(store: Store, day: dt.date) -> None:
    """A source became ready."""
    await store.run("expect", "hive", "sales", day, now() + dt.timedelta(hours=1))
    await store.connection.execute("select readiness.report_log('hive', 'sales', $1)", day)
    await store.fetch("advance", None)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the collector looked at Postgres."""
    times: list[float] = []
    run = Store.run

    async def counted(self: Store, name: str, *args: Any) -> None:
        await run(self, name, *args)
        if name == "beat":
            times.append(asyncio.get_running_loop().time())

    monkeypatch.setattr(Store, "run", counted)
    return times


@pytest_asyncio.fixture
async def unreachable(endpoints: Endpoints) -> Endpoints:
    """Postgres is away, Redis is there."""
    return Endpoints({**endpoints.postgres, "host": "127.0.0.1", "port": free_port()}, endpoints.redis)


@contextlib.asynccontextmanager
async def waiting(work: Any) -> AsyncIterator[asyncio.Task[Any]]:
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        await stop(task)


async def still(looks: list[float], eventually: Eventually, count: int = 3) -> None:
    """Wait until it has looked some more times."""
    have = len(looks)
    await eventually(lambda: len(looks) >= have + count)


async def at_rest(looks: list[float], eventually: Eventually) -> None:
    """Wait until it has looked and found nothing, and waits for a notification."""
    await eventually(lambda: looks and asyncio.get_running_loop().time() - looks[-1] > 0.5)


async def test_a_launch_wakes_it_by_its_notification(
    store: Store,
    redis: Redis,
    settings: Config,
    endpoints: Endpoints,
    today: dt.date,
    looks: list[float],
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collector_module, "SOON", 3600)
    monkeypatch.setattr(collector_module, "SLOW", 3600)
    await flow(store, settings)
    async with waiting(Collector(settings, endpoints, []).something_due()) as task:
        await at_rest(looks, eventually)
        await decide(store, redis, today)
        assert await asyncio.wait_for(task, 5) == "launches"


async def test_a_launch_that_was_decided_before_is_due_at_once(
    store: Store, settings: Config, endpoints: Endpoints, today: dt.date
) -> None:
    await flow(store, settings)
    await decide(store, None, today)
    assert await asyncio.wait_for(Collector(settings, endpoints, []).something_due(), 2) == "launches"


async def test_a_launch_is_held_while_all_its_flows_are_paused(
    store: Store,
    redis: Redis,
    settings: Config,
    endpoints: Endpoints,
    today: dt.date,
    looks: list[float],
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collector_module, "SOON", 0.05)
    await flow(store, settings, paused=True)
    await decide(store, redis, today)
    async with waiting(Collector(settings, endpoints, []).something_due()) as task:
        await still(looks, eventually, 5)
        assert not task.done()
        await flow(store, settings, paused=False)
        assert await asyncio.wait_for(task, 5) == "launches"


async def test_sources_are_due_after_some_quiet_only(
    store: Store,
    redis: Redis,
    settings: Config,
    endpoints: Endpoints,
    today: dt.date,
    looks: list[float],
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collector_module, "QUIET", 0.6)
    await settle(store, today)
    plan = Launch(of_source("hive.other"), today, {}, due_at=now() + dt.timedelta(hours=1))
    async with waiting(Collector(settings, endpoints, ["hive.sales"]).something_due()) as task:
        last = asyncio.get_running_loop().time()
        for _ in range(8):
            await still(looks, eventually, 1)
            assert not task.done()
            last = asyncio.get_running_loop().time()
            await snapshot.write(redis, [], [plan])
        assert await asyncio.wait_for(task, 5) == "lineage"
        assert asyncio.get_running_loop().time() - last >= 0.6


async def test_sources_that_nobody_names_are_not_due(
    store: Store,
    settings: Config,
    endpoints: Endpoints,
    today: dt.date,
    looks: list[float],
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collector_module, "QUIET", 0)
    monkeypatch.setattr(collector_module, "SLOW", 0.05)
    await settle(store, today)
    async with waiting(Collector(settings, endpoints, ["hive.other"]).something_due()) as task:
        await still(looks, eventually)
        assert not task.done()


async def test_a_launch_goes_before_sources(
    store: Store, settings: Config, endpoints: Endpoints, today: dt.date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector_module, "QUIET", 0)
    await flow(store, settings)
    await settle(store, today)
    await decide(store, None, today)
    collector = Collector(settings, endpoints, ["hive.sales"])
    assert await asyncio.wait_for(collector.something_due(), 5) == "launches"


async def test_without_postgres_a_plan_is_due_by_redis_when_its_deadline_has_passed(
    redis: Redis,
    settings: Config,
    unreachable: Endpoints,
    today: dt.date,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(collector_module, "SOON", 0.1)
    due_at = now() + dt.timedelta(seconds=1)
    await snapshot.write(redis, [], [Launch(SALES, today, {}, due_at=due_at)])
    await redis.set("readiness:launch:broken:2026-11-22", "{")
    due = await asyncio.wait_for(Collector(settings, unreachable, []).something_due(), 10)
    assert due == "launches"
    assert dt.timedelta(0) <= now() - due_at < dt.timedelta(seconds=1)
    assert "Postgres cannot be read" in caplog.text
    assert "is not JSON" in caplog.text


async def test_without_either_it_tries_on(
    settings: Config,
    unreachable: Endpoints,
    store: Store,
    today: dt.date,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(collector_module, "SOON", 0.1)
    nothing = Endpoints(unreachable.postgres, {"host": "127.0.0.1", "port": free_port(), "db": 0})
    async with waiting(Collector(settings, nothing, []).something_due()) as task:
        await eventually(lambda: "neither Postgres nor Redis" in caplog.text)
        assert not task.done()
        # Postgres comes back under the same name
        await flow(store, settings)
        await decide(store, None, today)
        nothing.postgres.clear()
        nothing.postgres.update(store_dsn(store))
        assert await asyncio.wait_for(task, 10) == "launches"


def store_dsn(store: Store) -> dict[str, Any]:
    """Where a store is."""
    host, port = store.connection._addr.rsplit("/.s.PGSQL.", 1)
    params = store.connection._params
    return {"host": host, "port": int(port), "user": params.user, "database": params.database}


async def test_cancelled_at_any_time_it_leaves_nothing(
    store: Store, redis: Redis, settings: Config, endpoints: Endpoints, eventually: Eventually
) -> None:
    await flow(store, settings)
    me = str(await redis.client_id())
    before = asyncio.all_tasks()

    async def closed() -> bool:
        others = await store.connection.fetchval(
            "select count(*) from pg_stat_activity where application_name = 'airflow-readiness' "
            "and datname = current_database() and pid <> pg_backend_pid()"
        )
        return not others and not [each for each in await redis.client_list() if each["id"] != me]

    for step in range(25):
        task = asyncio.create_task(Collector(settings, endpoints, []).something_due())
        await asyncio.wait({task}, timeout=step * 0.004)
        assert not task.done()
        await asyncio.wait_for(stop(task), 5)
        assert asyncio.all_tasks() == before
        await eventually(closed)


@pytest.fixture
def airflow_says(monkeypatch: pytest.MonkeyPatch, settings: Config, endpoints: Endpoints) -> None:
    async def resolved(_settings: Config) -> Endpoints:
        return endpoints

    monkeypatch.setattr(config, "load", lambda: settings)
    monkeypatch.setattr(config, "aendpoints", resolved)


@pytest.mark.usefixtures("airflow_says")
async def test_the_trigger_says_what_is_due(store: Store, settings: Config, today: dt.date) -> None:
    await flow(store, settings)
    await decide(store, None, today)
    events = [event async for event in CollectorTrigger(sources=[], rotate=30).run()]
    assert [event.payload for event in events] == [{"due": "launches"}]


@pytest.mark.usefixtures("airflow_says")
async def test_the_trigger_ends_the_task_without_a_worker_when_nothing_was_due() -> None:
    events = [event async for event in CollectorTrigger(sources=[], rotate=0.5).run()]
    assert [type(event) for event in events] == [TaskSuccessEvent]
