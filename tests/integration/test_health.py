"""``airflow readiness doctor``: what is wrong with real servers, and nothing that is not."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeAlias

import pytest
from redis.asyncio import Redis

from airflow_readiness import config, health
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import of_source
from airflow_readiness.core.document import Launch
from airflow_readiness.core.names import SNAPSHOT_KEY
from airflow_readiness.demo.servers import RedisServer, free_port
from airflow_readiness.diagnosis import Health, Problem
from airflow_readiness.errors import NotConfigured
from airflow_readiness.store.store import Store
from airflow_readiness_triggers.tasks import stop

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

AddFlow: TypeAlias = Callable[..., Awaitable[None]]
Check: TypeAlias = Callable[[], Awaitable[Health]]
SALES = of_source("hive.sales")


@pytest.fixture
def check(settings: Config, endpoints: Endpoints) -> Check:
    return lambda: health.check(settings, endpoints)


@pytest.fixture
async def well(store: Store, redis: Redis) -> AsyncIterator[None]:
    """A system at work."""
    (deployment,) = await store.fetch("deployment")
    await redis.set(SNAPSHOT_KEY, deployment["id"])
    await redis.config_set("notify-keyspace-events", "Kg$")
    await store.run("beat", "processor", None, {"deaf": False, "redis": True})
    await store.run("beat", "collector", None, {"redis": True, "mode": "notifications"})
    await store.run("beat", "registrar", None, {"flows": 1, "triggerers": 1, "paused": []})
    yield
    await redis.config_set("notify-keyspace-events", "Kg$")


def said(found: Health) -> list[tuple[str, str]]:
    return [(problem.part, problem.severity) for problem in found.problems]


async def decide(store: Store, day: dt.date, seconds_ago: float) -> None:
    launch = Launch(SALES, day, {}, decided_at=dt.datetime.now(dt.timezone.utc))
    await store.connection.execute(
        "insert into readiness.launch (condition, business_date, decided_at, evidence)"
        " values ($1, $2, clock_timestamp() - $3 * interval '1 s', $4)",
        SALES.text,
        day,
        seconds_ago,
        launch.to_json(),
    )


async def age_flows(store: Store, seconds: float = 300) -> None:
    """Let the flows have been as they are for a while."""
    await store.connection.execute("update readiness.flow set seen_at = seen_at - $1 * interval '1 s'", seconds)


@pytest.mark.usefixtures("well")
async def test_a_system_at_work_is_well(check: Check) -> None:
    found = await check()
    assert (found.problems, found.exit_code, found.degraded) == ((), 0, 0)
    assert {part.name: part.says for part in found.parts} == {
        "postgres": "answers",
        "redis": "answers",
        "processor": "seen 0 s ago",
        "collector": "seen 0 s ago, mode notifications",
        "registrar": "seen 0 s ago, 1 flows, 1 triggerers",
    }


@pytest.mark.usefixtures("store")
async def test_where_nothing_has_ever_run_it_says_what_to_start(check: Check) -> None:
    found = await check()
    assert found.exit_code == 2
    assert [problem.part for problem in found.problems][-3:] == ["registrar", "processor", "collector"]


@pytest.mark.usefixtures("well")
async def test_an_empty_redis_and_one_without_notifications_are_told(check: Check, redis: Redis) -> None:
    await redis.flushall()
    assert said(await check()) == [("redis", "degraded")]
    await redis.set(SNAPSHOT_KEY, "of another Postgres")
    assert said(await check()) == [("redis", "degraded")]
    await redis.config_set("notify-keyspace-events", "")
    assert said(await check()) == [("redis", "degraded"), ("redis", "degraded")]


@pytest.mark.usefixtures("well")
async def test_servers_that_are_gone_are_reported_and_not_raised(
    settings: Config, endpoints: Endpoints
) -> None:
    nobody = {"host": "127.0.0.1", "port": free_port()}
    found = await health.check(settings, dataclasses.replace(endpoints, redis=nobody))
    assert (said(found), found.exit_code) == ([("redis", "degraded")], 1)
    assert "'readiness_redis'" in found.problems[0].remedy
    found = await health.check(settings, dataclasses.replace(endpoints, postgres=nobody))
    assert (said(found), found.exit_code) == ([("postgres", "down")], 2)
    assert "'readiness_postgres'" in found.problems[0].remedy
    # what no client takes is no reason to raise either
    bogus = Endpoints({"host": "127.0.0.1", "ssl": "bogus"}, {"host": "127.0.0.1", "db": "x"})
    assert said(await health.check(settings, bogus)) == [("postgres", "down"), ("redis", "degraded")]


async def test_a_postgres_without_the_schema_says_how_to_make_it(
    settings: Config, endpoints: Endpoints, store: Store
) -> None:
    await store.connection.execute("drop schema readiness cascade")
    (postgres, *_) = (await health.check(settings, endpoints)).problems
    assert (postgres.severity, postgres.what) == ("down", "this Postgres has no schema 'readiness'")
    assert postgres.remedy.startswith("run 'airflow readiness db upgrade'")


@pytest.fixture
def frozen(own_redis: RedisServer) -> Iterator[RedisServer]:
    assert own_redis.process
    os.kill(own_redis.process.pid, signal.SIGSTOP)
    yield own_redis
    os.kill(own_redis.process.pid, signal.SIGCONT)


@pytest.mark.usefixtures("well", "frozen")
async def test_a_server_that_hangs_is_given_up(settings: Config, own_endpoints: Endpoints) -> None:
    began = time.monotonic()
    assert said(await health.check(settings, own_endpoints)) == [("redis", "degraded")]
    assert time.monotonic() - began < health.PATIENCE + 5


@pytest.mark.usefixtures("frozen")
async def test_a_check_can_be_cancelled(settings: Config, own_endpoints: Endpoints) -> None:
    task = asyncio.create_task(health.check(settings, own_endpoints))
    await asyncio.wait({task}, timeout=0.3)
    assert not task.done()
    await asyncio.wait_for(stop(task), 5)


@pytest.mark.usefixtures("well")
async def test_launches_that_do_not_come_are_told_after_a_minute(
    store: Store, check: Check, add_flow: AddFlow, today: dt.date
) -> None:
    await add_flow("flow", SALES, today)
    await age_flows(store)
    await decide(store, today, 59)
    assert said(await check()) == []
    await decide(store, today - dt.timedelta(days=1), 61)
    found = await check()
    assert said(found) == [("launches", "down")]
    assert "not recorded after a minute: 1 (" in found.problems[0].what
    assert f"(hive.sales for {today - dt.timedelta(days=1)})" in found.problems[0].what
    await store.connection.execute("update readiness.launch set published_at = clock_timestamp()")
    assert said(await check()) == []


@pytest.mark.usefixtures("well")
async def test_a_launch_whose_flows_are_paused_is_held_and_a_flow_that_is_back_has_a_minute(
    store: Store, check: Check, add_flow: AddFlow, today: dt.date
) -> None:
    await decide(store, today, 3600)
    assert said(await check()) == [], "no flow waits for it"
    await add_flow("one", SALES, today, paused=True)
    await add_flow("two", SALES, today, broken=True)
    await age_flows(store)
    found = await check()
    assert (said(found), found.exit_code) == ([("launches", "info")], 0)
    await add_flow("one", SALES, today)
    assert said(await check()) == []
    await age_flows(store)
    assert said(await check()) == [("launches", "down")]


@pytest.mark.usefixtures("well")
async def test_a_flow_that_waits_for_repair_is_told(
    store: Store, check: Check, add_flow: AddFlow, today: dt.date
) -> None:
    await add_flow("flow", SALES, today)
    await age_flows(store)
    await decide(store, today, 300)
    await store.connection.execute("update readiness.launch set published_at = clock_timestamp()")
    await store.run("runs_seen", ["flow"], [today], [SALES.text], [None])
    assert said(await check()) == []
    await store.connection.execute("update readiness.launch_run set seen_at = seen_at - interval '61 s'")
    found = await check()
    assert said(found) == [("launches", "degraded")]
    assert f"(flow for {today})" in found.problems[0].what
    await store.run("runs_seen", ["flow"], [today], [SALES.text], ["run_1"])
    assert said(await check()) == []


@pytest.mark.usefixtures("well")
async def test_deadlines_that_nobody_judges_are_told(
    store: Store, check: Check, settings: Config, today: dt.date
) -> None:
    now = dt.datetime.now(dt.timezone.utc)
    deadline = now + dt.timedelta(seconds=5)
    await store.run("expect", "hive", "sales", today, deadline)
    await store.fetch("advance", now)
    assert said(await check()) == []
    await store.connection.execute(
        "update readiness.processed_log set deadline_at = deadline_at - interval '70 s'"
    )
    assert said(await check()) == [("launches", "down")]
    await store.connection.execute("update readiness.processed_log set deadline_override = $1", now)
    await store.fetch("advance", now + dt.timedelta(seconds=60))
    assert said(await check()) == []


async def test_a_deployment_that_is_not_configured_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, settings: Config
) -> None:
    def refuse(_settings: Config) -> Endpoints:
        raise NotConfigured("the connection 'x' names no host: set the host")

    monkeypatch.setattr(config, "load", lambda: settings)
    monkeypatch.setattr(config, "endpoints", refuse)
    found = await health.check_deployment()
    expected = Problem("configuration", "down", "the connection 'x' names no host", "set the host")
    assert (found.problems, found.exit_code) == ((expected,), 2)
