"""Conditions with times of their own while parts are away: by Redis, by a sensor's own clock, by the timer."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from redis.asyncio import Redis

from airflow_readiness import ReadySensor, engine, outbox, source
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import Condition, Verdict, at_least, combine, of_source, timed
from airflow_readiness.core.dates import timezone
from airflow_readiness.core.document import Launch
from airflow_readiness.core.state import Outcome, Readiness, State
from airflow_readiness.demo.servers import free_port
from airflow_readiness.signal import snapshot
from airflow_readiness.store.store import Store
from airflow_readiness_triggers import processor as processor_module
from airflow_readiness_triggers import ready as ready_module
from airflow_readiness_triggers.processor import Processor
from airflow_readiness_triggers.ready import Wait
from airflow_readiness_triggers.tasks import stop

pytestmark = pytest.mark.usefixtures("nothing_left_behind")

Do: TypeAlias = Callable[..., Awaitable[None]]
Eventually: TypeAlias = Callable[..., Awaitable[Any]]

A, B, C = (of_source(f"hive.{letter}") for letter in "abc")
HOUR, MINUTE, SECOND = dt.timedelta(hours=1), dt.timedelta(minutes=1), dt.timedelta(seconds=1)


@pytest.fixture
def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


@pytest.fixture
def clock(settings: Config, now: dt.datetime) -> Callable[[dt.timedelta], dt.time]:
    """The time of day so long from now, in the deployment, where it is about noon."""
    zone = dt.timezone(dt.timedelta(hours=12 - now.hour))

    def local(ahead: dt.timedelta) -> dt.time:
        return (now + ahead).astimezone(zone).time().replace(second=0, microsecond=0)

    return local


Clock: TypeAlias = Callable[[dt.timedelta], dt.time]


@pytest.fixture
def planned(
    store: Store, redis: Redis, settings: Config, add_flow: Do, today: dt.date, now: dt.datetime
) -> Callable[..., Awaitable[None]]:
    """Two hours ago these were planned, and written to Redis; since then nobody has looked."""

    async def plan(*conditions: Condition, ready: tuple[str, ...] = ()) -> None:
        await engine.configure(store, settings)
        for number, condition in enumerate(conditions):
            await add_flow(f"flow {number}", condition, today)
        for name in {name for condition in conditions for name in condition.sources}:
            await store.run("expect", *name.split("."), today, now + 5 * HOUR)
        for name in ready:
            await store.connection.execute(
                "select readiness.report_log($1, $2, $3, logged_at => $4)",
                *(*name.split("."), today, now - 2 * HOUR),
            )
        result = await engine.tick(store, everything=True, now=now - 2 * HOUR)
        result.planned = [each for each in result.planned if each.business_date == today]
        await engine.publish_snapshot(redis, result)

    return plan


@pytest.fixture
def around(settings: Config, endpoints: Endpoints) -> Callable[[], Awaitable[dict[str, Launch]]]:
    """What a worker finds due without Postgres."""
    away = dataclasses.replace(endpoints, postgres={"host": "127.0.0.1", "port": free_port(), "user": "x"})

    async def find() -> dict[str, Launch]:
        due = await outbox.due(settings, away, [], lambda _launch, _since: None)
        return {each.condition.text: each for each in due.launches}

    return find


Plan: TypeAlias = Callable[..., Awaitable[None]]
Around: TypeAlias = Callable[[], Awaitable[dict[str, Launch]]]


async def test_without_postgres_it_is_launched_at_its_own_time(
    planned: Plan, around: Around, clock: Clock
) -> None:
    past, future = timed(A, not_before=clock(-HOUR)), timed(A, not_before=clock(HOUR))
    await planned(past, future, ready=("hive.a",))
    found = await around()
    assert list(found) == [past.text]
    assert found[past.text].outcomes == {"hive.a": Outcome.READY}
    assert found[past.text].decided_at


async def test_without_postgres_a_grace_ends(planned: Plan, around: Around) -> None:
    over, running = at_least(2, [A, B, C], 3600), at_least(2, [A, B, C], 3 * 3600)
    await planned(over, running, ready=("hive.a", "hive.b"))
    found = await around()
    assert list(found) == [over.text]
    assert found[over.text].outcomes["hive.c"] is Outcome.PENDING


async def test_without_postgres_its_own_deadline_starts_it_and_skips_it(
    planned: Plan, around: Around, clock: Clock
) -> None:
    runs, skips = timed(A, deadline=clock(-HOUR)), timed(A, deadline=clock(-HOUR), on="skip")
    later = timed(A, deadline=clock(HOUR))
    await planned(runs, skips, later)
    found = await around()
    assert list(found) == [runs.text]
    assert found[runs.text].by_deadline


async def test_postgres_that_is_back_decides_the_same(
    store: Store, planned: Plan, around: Around, clock: Clock
) -> None:
    runs, skips = timed(A, deadline=clock(-HOUR)), timed(A, deadline=clock(-HOUR), on="skip")
    await planned(runs, skips)
    result = await engine.tick(store)
    assert [each.condition.text for each in result.launched] == list(await around())
    assert [each.condition for each in result.skipped] == [skips]


@pytest.fixture
def no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor_module, "SAFETY", 3600)
    monkeypatch.setattr(processor_module, "DEAF", 3600)


@pytest.mark.usefixtures("no_timer", "blocking_is_an_error")
async def test_the_processor_launches_at_the_end_of_a_grace_although_nobody_rings(
    store: Store,
    endpoints: Endpoints,
    settings: Config,
    add_flow: Do,
    today: dt.date,
    at_work: Callable[..., contextlib.AbstractAsyncContextManager[asyncio.Task[Any]]],
    eventually: Eventually,
) -> None:
    await engine.configure(store, settings)
    await add_flow("flow", at_least(2, [A, B, C], 3), today)
    async with at_work(Processor(settings, endpoints).serve()):
        for name in ("a", "b"):
            await store.connection.execute("select readiness.report_log('hive', $1, $2)", name, today)
        # it has seen both, and waits for the third
        await eventually(
            lambda: store.connection.fetchval(
                "select due_at from readiness.launch_plan where due_at < now() + interval '1 minute'"
            )
        )
        assert await store.fetch("outbox", 1) == []
        (row,) = await eventually(lambda: store.fetch("outbox", 1))
    launch = engine.launch_of(row)
    assert launch.due_at
    assert launch.decided_at
    assert launch.verdict is Verdict.READY
    assert launch.due_at == max(each.ready_at for each in launch.sources.values() if each.ready_at) + 3 * SECOND
    assert dt.timedelta() <= launch.decided_at - launch.due_at < 5 * SECOND


@contextlib.asynccontextmanager
async def waits(endpoints: Endpoints, condition: Condition, day: dt.date, zone: str) -> AsyncIterator[Any]:
    task = asyncio.create_task(Wait(endpoints, condition, day, zone).satisfied())
    try:
        yield task
    finally:
        await stop(task)


def known(name: str, day: dt.date, ready_at: dt.datetime | None, deadline_at: dt.datetime) -> Readiness:
    state = State.READY if ready_at else State.WAITING
    return Readiness(name, day, state, deadline_at, int(bool(ready_at)), 1, ready_at)


@pytest.mark.usefixtures("blocking_is_an_error")
async def test_a_sensor_waits_for_its_own_time_by_its_own_clock(
    redis: Redis, endpoints: Endpoints, today: dt.date, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ready_module, "GRACE", 0.1)
    await snapshot.write(
        redis,
        [known("hive.a", today, now, now + HOUR), known("hive.b", today, now, now + HOUR)]
        + [known("hive.c", today, None, now + HOUR)],
        [],
    )
    async with waits(endpoints, at_least(2, [A, B, C], 2), today, "UTC") as task:
        launch = await asyncio.wait_for(asyncio.shield(task), 10)
    assert launch.due_at == now + 2 * SECOND
    assert launch.due_at <= launch.decided_at < launch.due_at + 3 * SECOND


@pytest.mark.usefixtures("blocking_is_an_error")
async def test_a_sensor_ends_its_wait_when_the_flow_is_skipped_and_so_is_its_task(
    redis: Redis,
    endpoints: Endpoints,
    settings: Config,
    today: dt.date,
    now: dt.datetime,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__READINESS__TIMEZONE", settings.timezone)
    await snapshot.write(redis, [known("hive.a", today, None, now + HOUR)], [])
    # as config.load() does, in a thread
    timezone(settings.timezone)
    condition = timed(A, deadline=clock(-MINUTE), on="skip")
    async with waits(endpoints, condition, today, settings.timezone) as task:
        launch = await asyncio.wait_for(asyncio.shield(task), 5)
    assert (launch.verdict, launch.starts) == (Verdict.SKIPPED, False)
    written = source("hive.a").deadline(f"{clock(-MINUTE):%H:%M}", on="skip")
    sensor = ReadySensor(task_id="wait", condition=written)
    with pytest.raises(AirflowSkipException, match=f"for {today} is skipped: the flow's own deadline"):
        sensor.resume({}, {"launch": launch.to_json()})


async def test_a_worker_that_looks_for_a_sensor_decides_by_the_same_times(
    store: Store,
    endpoints: Endpoints,
    settings: Config,
    report: Do,
    today: dt.date,
    now: dt.datetime,
    clock: Clock,
) -> None:
    await engine.configure(store, settings)
    for name in ("a", "b"):
        await store.run("expect", "hive", name, today, now + 3 * HOUR)
    await report("hive.a", now, today)
    both = combine("all", [A, B])

    async def look(condition: Condition) -> tuple[Verdict | None, bool]:
        launch = await engine.look(endpoints.postgres, endpoints.redis, condition, today)
        return launch.verdict, launch.decided_at is not None

    assert await look(timed(A, not_before=clock(HOUR))) == (Verdict.READY, False)
    assert await look(timed(A, not_before=clock(-HOUR))) == (Verdict.READY, True)
    assert await look(timed(both, deadline=clock(-HOUR))) == (Verdict.MISSED, True)
    assert await look(timed(both, deadline=clock(-HOUR), on="skip")) == (Verdict.SKIPPED, True)
