"""The wait of a ReadySensor: for a log, or for the deadline by its own clock."""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
import pytest_asyncio
from airflow.models.trigger import Trigger
from airflow.triggers.base import BaseTrigger, TriggerEvent
from redis.asyncio import Redis

from airflow_readiness.config import Endpoints
from airflow_readiness.core.condition import Condition, combine, of_source
from airflow_readiness.core.document import Launch, load_launch
from airflow_readiness.core.names import source_key
from airflow_readiness.core.state import Outcome, Readiness, State
from airflow_readiness.demo.servers import free_port
from airflow_readiness.signal import snapshot
from airflow_readiness.store.store import Store
from airflow_readiness_triggers import hub as hub_module
from airflow_readiness_triggers import ready as ready_module
from airflow_readiness_triggers.collector import CollectorTrigger
from airflow_readiness_triggers.processor import ProcessorTrigger
from airflow_readiness_triggers.ready import ReadyTrigger, Wait
from airflow_readiness_triggers.tasks import stop

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

Eventually: TypeAlias = Callable[..., Awaitable[Any]]

DAY = dt.date(2026, 11, 22)
SALES, STORES = of_source("hive.sales"), of_source("hive.stores")
BOTH, ANY = combine("all", [SALES, STORES]), combine("any", [SALES, STORES])
HOUR = dt.timedelta(hours=1)


def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


def known(name: str, state: State, deadline_at: dt.datetime | None = None) -> Readiness:
    ready_at = now() if state is State.READY else None
    return Readiness(name, DAY, state, deadline_at or now() + HOUR, int(state is State.READY), 1, ready_at)


async def result(task: asyncio.Task[Launch], seconds: float = 10) -> Launch:
    return await asyncio.wait_for(asyncio.shield(task), seconds)


@pytest_asyncio.fixture
async def wait_for(endpoints: Endpoints) -> AsyncIterator[Callable[..., asyncio.Task[Launch]]]:
    """Begin to wait; what did not end is ended at the end."""
    tasks = []

    def begin(condition: Condition, where: Endpoints = endpoints) -> asyncio.Task[Launch]:
        task = asyncio.create_task(Wait(where, condition, DAY, "UTC").satisfied())
        tasks.append(task)
        return task

    yield begin
    await stop(*tasks)


Begin: TypeAlias = Callable[..., asyncio.Task[Launch]]


@pytest.fixture
def watched(redis: Redis, eventually: Eventually) -> Callable[[], Awaitable[None]]:
    """Wait until the hub has subscribed and read."""

    async def wait() -> None:
        async def there() -> bool:
            stats = await redis.info("commandstats")
            return "cmdstat_mget" in stats

        await eventually(there)

    return wait


@pytest_asyncio.fixture(autouse=True)
async def fresh_stats(redis: Redis) -> None:
    await redis.config_resetstat()


async def test_sources_that_were_ready_before_end_the_wait_at_once(redis: Redis, wait_for: Begin) -> None:
    await snapshot.write(redis, [known(name, State.READY) for name in BOTH.sources], [])
    launch = await result(wait_for(BOTH), 3)
    assert (launch.condition, launch.business_date) == (BOTH, DAY)
    assert launch.outcomes == {"hive.sales": Outcome.READY, "hive.stores": Outcome.READY}
    assert launch.decided_at


async def test_a_source_that_becomes_ready_ends_the_wait(
    redis: Redis, wait_for: Begin, watched: Callable[[], Awaitable[None]]
) -> None:
    await snapshot.write(redis, [known(name, State.WAITING) for name in BOTH.sources], [])
    task = wait_for(BOTH)
    await watched()
    await snapshot.write(redis, [known("hive.sales", State.READY)], [])
    done, _ = await asyncio.wait({task}, timeout=0.3)
    assert not done, "hive.stores is still waiting"
    await snapshot.write(redis, [known("hive.stores", State.READY)], [])
    launch = await result(task, 2)
    assert set(launch.outcomes.values()) == {Outcome.READY}


async def test_one_of_two_is_enough_where_either_satisfies(redis: Redis, wait_for: Begin) -> None:
    await snapshot.write(redis, [known("hive.sales", State.WAITING), known("hive.stores", State.READY)], [])
    launch = await result(wait_for(ANY), 3)
    assert launch.outcomes == {"hive.sales": Outcome.PENDING, "hive.stores": Outcome.READY}


async def test_another_date_does_not_end_the_wait(
    redis: Redis, wait_for: Begin, watched: Callable[[], Awaitable[None]], eventually: Eventually
) -> None:
    yesterday = Readiness("hive.sales", DAY - dt.timedelta(days=1), State.READY, now(), 1, 1, now())
    await snapshot.write(redis, [yesterday, known("hive.sales", State.WAITING)], [])
    task = wait_for(SALES)
    await watched()
    await snapshot.write(redis, [yesterday], [])
    done, _ = await asyncio.wait({task}, timeout=0.3)
    assert not done
    await snapshot.write(redis, [known("hive.sales", State.READY)], [])
    assert (await result(task, 2)).business_date == DAY


async def test_the_deadline_ends_the_wait_by_its_own_clock(
    redis: Redis, wait_for: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ready_module, "GRACE", 0.3)
    deadline = now() + dt.timedelta(seconds=0.7)
    await snapshot.write(redis, [known(name, State.WAITING, deadline) for name in BOTH.sources], [])
    launch = await result(wait_for(BOTH), 5)
    assert set(launch.outcomes.values()) == {Outcome.DEADLINE}
    assert launch.decided_at
    assert dt.timedelta(seconds=0.3) <= launch.decided_at - deadline < dt.timedelta(seconds=1)


async def test_a_deadline_that_is_moved_is_followed(
    redis: Redis,
    wait_for: Begin,
    watched: Callable[[], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ready_module, "GRACE", 0.1)
    await snapshot.write(redis, [known("hive.sales", State.WAITING)], [])
    task = wait_for(SALES)
    await watched()
    deadline = now() + dt.timedelta(seconds=0.5)
    await snapshot.write(redis, [known("hive.sales", State.WAITING, deadline)], [])
    launch = await result(task, 5)
    assert launch.outcomes == {"hive.sales": Outcome.DEADLINE}


async def test_a_date_that_nobody_knows_is_asked_for(
    store: Store, redis: Redis, wait_for: Begin, eventually: Eventually
) -> None:
    task = wait_for(BOTH)

    async def asked() -> bool:
        rows = await store.connection.fetch(
            "select source from readiness.processed_log where business_date = $1 and expected", DAY
        )
        return {row["source"] for row in rows} == set(BOTH.sources)

    await eventually(asked, within=5)
    assert not task.done()
    await snapshot.write(redis, [known(name, State.READY) for name in BOTH.sources], [])
    assert set((await result(task, 2)).outcomes.values()) == {Outcome.READY}


async def test_a_postgres_that_cannot_be_asked_stops_nothing(
    endpoints: Endpoints,
    redis: Redis,
    wait_for: Begin,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(ready_module, "ASK_AGAIN", 0.1)
    away = Endpoints({**endpoints.postgres, "host": "127.0.0.1", "port": free_port()}, endpoints.redis)
    task = wait_for(SALES, away)
    await eventually(lambda: caplog.text.count("nothing is known, and Postgres cannot be asked") >= 2)
    assert not task.done()
    await snapshot.write(redis, [known("hive.sales", State.READY)], [])
    assert (await result(task)).outcomes == {"hive.sales": Outcome.READY}


async def test_the_wait_ends_by_postgres_while_redis_is_away(
    store: Store,
    endpoints: Endpoints,
    settings: Any,
    today: dt.date,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "INSTEAD", 0.1)
    away = Endpoints(endpoints.postgres, {"host": "127.0.0.1", "port": free_port(), "db": 0})
    await store.run("expect", "hive", "sales", today, now() + HOUR)
    await store.connection.execute("update readiness.deployment set timezone = $1", settings.timezone)
    await store.connection.execute("select readiness.report_log('hive', 'sales', $1)", today)
    await store.fetch("advance", None)
    launch = await asyncio.wait_for(Wait(away, SALES, today, "UTC").satisfied(), 10)
    assert launch.outcomes == {"hive.sales": Outcome.READY}


async def test_a_broken_document_is_told_once_and_stops_nothing(
    redis: Redis,
    wait_for: Begin,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ready_module, "ASK_AGAIN", 0.05)
    monkeypatch.setattr(hub_module, "REREAD", 0.05)
    key = source_key("hive.sales", DAY.isoformat())
    await redis.set(key, "{")
    task, either = wait_for(SALES), wait_for(ANY)
    await eventually(lambda: f"{key}: a source's readiness" in caplog.text)
    await snapshot.write(redis, [known("hive.stores", State.READY)], [])
    assert (await result(either)).outcomes["hive.stores"] is Outcome.READY
    # read some more times, in vain
    have = (await redis.info("commandstats"))["cmdstat_mget"]["calls"]

    async def read_again() -> bool:
        return bool((await redis.info("commandstats"))["cmdstat_mget"]["calls"] > have + 3)

    await eventually(read_again)
    assert not task.done()
    await snapshot.write(redis, [known("hive.sales", State.READY)], [])
    assert (await result(task)).outcomes == {"hive.sales": Outcome.READY}
    # once by each of the two waits
    assert caplog.text.count(f"{key}: a source's readiness") <= 2


async def test_a_thousand_waits_share_two_connections_and_wake_together(
    redis: Redis, wait_for: Begin, eventually: Eventually
) -> None:
    names = [f"a.t{n}" for n in range(1000)]
    await snapshot.write(redis, [known(name, State.WAITING) for name in names], [])
    tasks = [wait_for(of_source(name)) for name in names]

    async def settled() -> bool:
        return "cmdstat_mget" in await redis.info("commandstats")

    await eventually(settled)
    me = str(await redis.client_id())
    assert len([each for each in await redis.client_list() if each["id"] != me]) <= 2
    await snapshot.write(redis, [known(name, State.READY) for name in names], [])
    done, pending = await asyncio.wait(tasks, timeout=10)
    assert not pending
    assert len(done) == 1000


@pytest.fixture
def airflow_connections(monkeypatch: pytest.MonkeyPatch, endpoints: Endpoints) -> None:
    """Airflow's own connections name these servers."""
    postgres, redis = endpoints.postgres, endpoints.redis
    monkeypatch.setenv(
        "AIRFLOW_CONN_READINESS_POSTGRES",
        json.dumps(
            {
                "conn_type": "postgres",
                "host": postgres["host"],
                "login": postgres["user"],
                "schema": postgres["database"],
            }
        ),
    )
    monkeypatch.setenv(
        "AIRFLOW_CONN_READINESS_REDIS",
        json.dumps({"conn_type": "redis", "host": redis["host"], "port": redis["port"]}),
    )


async def run(trigger: BaseTrigger) -> list[TriggerEvent]:
    async def collect() -> list[TriggerEvent]:
        return [event async for event in trigger.run()]

    return await asyncio.wait_for(collect(), 15)


@pytest.mark.usefixtures("airflow_connections")
@pytest.mark.parametrize("written", ["2026-11-22", "2026-11-22T06:30:00+00:00", "2026-11-22T06:30:00Z"])
async def test_the_trigger_says_why_the_wait_ended(redis: Redis, written: str) -> None:
    await snapshot.write(redis, [known(name, State.READY) for name in BOTH.sources], [])
    (event,) = await run(ReadyTrigger(condition=BOTH.to_json(), business_date=written))
    launch = load_launch(json.loads(json.dumps(event.payload))["launch"])
    assert (launch.condition, launch.business_date) == (BOTH, DAY)


@pytest.mark.usefixtures("airflow_connections")
@pytest.mark.parametrize("written", ["", "yesterday", "2026-11-31", "2026-11-22T06:30:00", "22.11.2026"])
async def test_a_date_that_is_none_ends_the_wait_with_an_error(written: str) -> None:
    (event,) = await run(ReadyTrigger(condition="hive.sales", business_date=written))
    assert list(event.payload) == ["error"]
    assert "YYYY-MM-DD" in event.payload["error"]


@pytest.mark.usefixtures("airflow_connections")
@pytest.mark.parametrize("condition", [None, "no_dot", {"all": []}, {"none": ["a.b"]}])
async def test_a_condition_that_is_none_ends_the_wait_with_an_error(condition: Any) -> None:
    (event,) = await run(ReadyTrigger(condition=condition, business_date="2026-11-22"))
    assert list(event.payload) == ["error"]


async def test_a_connection_that_is_missing_is_waited_for(
    eventually: Eventually, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_READINESS_POSTGRES", raising=False)
    task = asyncio.create_task(run(ReadyTrigger(condition="hive.sales", business_date="2026-11-22")))
    await eventually(lambda: "there is no connection 'readiness_postgres'" in caplog.text)
    assert not task.done()
    await stop(task)


@pytest.mark.usefixtures("airflow_connections")
async def test_a_trigger_that_is_cancelled_leaves_nothing(redis: Redis, eventually: Eventually) -> None:
    me = str(await redis.client_id())

    async def others() -> int:
        return len([each for each in await redis.client_list() if each["id"] != me])

    before = asyncio.all_tasks()
    task = asyncio.create_task(run(ReadyTrigger(condition="hive.sales", business_date="2026-11-22")))
    await eventually(others)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    await eventually(lambda: asyncio.all_tasks() == before)

    async def gone() -> bool:
        return not await others()

    await eventually(gone)


@pytest.mark.parametrize(
    ("trigger", "path", "arguments"),
    [
        (
            ReadyTrigger(condition=BOTH.to_json(), business_date="2026-11-22"),
            "airflow_readiness_triggers.ready.ReadyTrigger",
            {"condition": {"all": ["hive.sales", "hive.stores"]}, "business_date": "2026-11-22"},
        ),
        (
            ProcessorTrigger(rotate=1800.0),
            "airflow_readiness_triggers.processor.ProcessorTrigger",
            {"rotate": 1800.0},
        ),
        (
            CollectorTrigger(sources=["hive.sales"], rotate=540.0),
            "airflow_readiness_triggers.collector.CollectorTrigger",
            {"sources": ["hive.sales"], "rotate": 540.0},
        ),
    ],
)
def test_a_trigger_comes_out_of_airflows_database_as_it_went_in(
    trigger: BaseTrigger, path: str, arguments: dict[str, Any]
) -> None:
    row = Trigger.from_object(trigger)
    assert row.classpath == path
    assert row.kwargs == arguments
    module, _, name = row.classpath.rpartition(".")
    again = getattr(importlib.import_module(module), name)(**row.kwargs)
    assert again.serialize() == (path, arguments)
