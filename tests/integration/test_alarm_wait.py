"""The alarms' wait in the triggerer: rung, by the clock, and through an outage."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from airflow.triggers.base import TaskSuccessEvent

from airflow_readiness import config, engine
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.store.store import Store
from airflow_readiness_triggers import alarms as module
from airflow_readiness_triggers.alarms import Alarms, AlarmTrigger
from airflow_readiness_triggers.tasks import stop
from tests.integration.own_postgres import OwnPostgres

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

Do: TypeAlias = Callable[..., Awaitable[None]]
Eventually: TypeAlias = Callable[..., Awaitable[Any]]
TELL = {"missed": ["Mail"], "late": ["Mail"], "at_risk": ["Mail"]}


@pytest.fixture
async def source(store: Store, settings: Config, set_settings: Do) -> None:
    """One source, which waits."""
    await engine.configure(store, settings)
    await set_settings("hive.sales", "18:00")
    await engine.tick(store)


async def miss(store: Store) -> None:
    await store.connection.execute(
        "update readiness.processed_log set deadline_override = clock_timestamp() - interval '1 s'"
    )
    await engine.tick(store)


@contextlib.asynccontextmanager
async def waiting(store: Store, endpoint: dict[str, Any], **tell: list[str]) -> Any:
    """A wait that listens."""
    task = asyncio.create_task(Alarms(endpoint, tell or TELL).something_due())
    try:
        yield task
    finally:
        await stop(task)


async def listens(store: Store) -> bool:
    return bool(await store.connection.fetch("select from readiness.heartbeat where part = 'alarms'"))


@pytest.mark.usefixtures("source")
async def test_a_missed_source_ends_the_wait_at_once(
    store: Store, dsn: dict[str, Any], eventually: Eventually
) -> None:
    async with waiting(store, dsn) as wait:
        await eventually(lambda: listens(store))
        await asyncio.sleep(0.2)
        assert not wait.done()
        await miss(store)
        await eventually(wait.done, within=5)


@pytest.mark.usefixtures("source")
async def test_without_the_doorbell_it_is_found_by_the_clock(
    store: Store, dsn: dict[str, Any], eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK", 0.2)
    await store.connection.execute("update readiness.deployment set doorbell = false")
    async with waiting(store, dsn) as wait:
        await eventually(lambda: listens(store))
        await miss(store)
        await eventually(wait.done, within=5)


@pytest.mark.usefixtures("source")
async def test_what_nobody_wants_to_know_ends_no_wait(
    store: Store, dsn: dict[str, Any], eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK", 0.05)
    async with waiting(store, dsn, late=["Mail"]) as wait:
        await eventually(lambda: listens(store))
        await miss(store)
        await asyncio.sleep(0.3)
        assert not wait.done()


@pytest.mark.usefixtures("source")
async def test_what_was_told_is_not_due_and_what_failed_is_when_its_time_has_come(
    store: Store, dsn: dict[str, Any], eventually: Eventually, today: dt.date
) -> None:
    await miss(store)
    (claimed,) = await store.fetch("claim_alarms", ["missed"], ["Mail"], 10)
    key = claimed["source"], claimed["business_date"], "missed", "Mail"
    assert await store.fetch("alarms_due", ["missed"], ["Mail"]) == []
    await store.run("alarm_failed", *key, "no")
    await store.connection.execute(
        "update readiness.alarm set again_at = clock_timestamp() + interval '1 second'"
    )
    (soon,) = await store.fetch("next_alarm", ["missed"])
    assert 0 < soon["seconds"] <= 1
    async with waiting(store, dsn, missed=["Mail"]) as wait:
        await eventually(wait.done, within=5)
    await store.run("alarm_sent", *key)
    assert await store.fetch("alarms_due", ["missed"], ["Mail"]) == []
    assert (await store.fetch("next_alarm", ["missed"]))[0]["seconds"] is None


@pytest.mark.usefixtures("source")
async def test_a_source_at_risk_ends_it_at_that_instant(
    store: Store, dsn: dict[str, Any], eventually: Eventually, settings: Config, today: dt.date
) -> None:
    # it was there two seconds from now on twelve such days
    await store.connection.execute(
        "insert into readiness.arrival"
        " (source_database, source_table, business_date, state, ready_at, log_count, by_hand)"
        " select 'hive', 'sales', $1::date - 7 * n, 'ready',"
        " clock_timestamp() + interval '2 seconds' - n * interval '7 days', 1, false"
        " from generate_series(1, 12) as n",
        today,
    )
    async with waiting(store, dsn, at_risk=["Mail"]) as wait:
        await eventually(lambda: listens(store))
        assert not wait.done()
        await eventually(wait.done, within=5)


async def test_a_postgres_that_was_away_is_waited_for(
    fragile: Endpoints, own_postgres: OwnPostgres, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow_readiness.store.store import open_store

    async with open_store(fragile.postgres) as store, waiting(store, fragile.postgres) as wait:
        await eventually(lambda: listens(store))
        await store.connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where pid <> pg_backend_pid() and datname = current_database()"
        )
        await store.connection.execute("delete from readiness.heartbeat")
        await eventually(lambda: listens(store))
        assert not wait.done()
    assert caplog.text.count("alarms wait for Postgres") <= 1


async def test_the_trigger_ends_without_a_worker_when_it_is_old(
    endpoints: Endpoints, settings: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def known(_settings: Config) -> Endpoints:
        return endpoints

    monkeypatch.setattr(config, "load", lambda: settings)
    monkeypatch.setattr(config, "aendpoints", known)
    events = [event async for event in AlarmTrigger({"missed": ["Mail"]}, rotate=0.5).run()]
    assert [type(event) for event in events] == [TaskSuccessEvent]


@pytest.mark.usefixtures("source")
async def test_the_trigger_tells_that_something_is_due(
    store: Store, endpoints: Endpoints, settings: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def known(_settings: Config) -> Endpoints:
        return endpoints

    monkeypatch.setattr(config, "load", lambda: settings)
    monkeypatch.setattr(config, "aendpoints", known)
    await miss(store)
    (event,) = [event async for event in AlarmTrigger({"missed": ["Mail"]}, rotate=20).run()]
    assert event.payload == {"due": "alarms"}


@pytest.mark.usefixtures("source")
async def test_a_wait_that_is_cancelled_leaves_nothing(
    store: Store, dsn: dict[str, Any], eventually: Eventually
) -> None:
    async with waiting(store, dsn) as wait:
        await eventually(lambda: listens(store))
    assert wait.cancelled()

    async def alone() -> bool:
        query = "select count(*) from pg_stat_activity where datname = current_database()"
        return bool(await store.connection.fetchval(query) == 1)

    await eventually(alone)
