"""Metrics: what a statsd hears, from each part of the system; and that nobody suffers without one."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeAlias

import pytest
from airflow.sdk._shared.observability.metrics import stats as airflow_stats
from airflow.sdk.observability import stats

from airflow_readiness import config, engine, health, metrics
from airflow_readiness.airflow_metadata import EventSeen
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import of_source
from airflow_readiness.core.document import Launch
from airflow_readiness.core.names import LAUNCH_GROUP
from airflow_readiness.core.state import Readiness, State
from airflow_readiness.demo.servers import RedisServer
from airflow_readiness.registrar import Registrar
from airflow_readiness.store.store import Store
from airflow_readiness_triggers.hub import open_hub
from airflow_readiness_triggers.processor import Processor
from tests.integration.airflow_seen import Airflow
from tests.statsd import Statsd
from tests.statsd import settings as statsd_settings
from tests.statsd import statsd as listening_statsd

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

AtWork: TypeAlias = Callable[..., contextlib.AbstractAsyncContextManager[asyncio.Task[Any]]]
Eventually: TypeAlias = Callable[..., Awaitable[Any]]
SALES = of_source("hive.sales")


@pytest.fixture
def uninitialised(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process in which Airflow has not set up its metrics."""
    monkeypatch.setattr(airflow_stats, "_factory", None)
    monkeypatch.setattr(airflow_stats, "_backend", None)
    metrics._stats.cache_clear()
    yield
    if client := getattr(airflow_stats._backend, "statsd", None):
        client.close()
    metrics._stats.cache_clear()


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch, uninitialised: None) -> Iterator[Statsd]:
    with listening_statsd() as listener:
        for name, value in statsd_settings(listener).items():
            monkeypatch.setenv(name, value)
        yield listener


def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


def ago(seconds: float) -> dt.datetime:
    return now() - dt.timedelta(seconds=seconds)


async def decide(store: Store, day: dt.date, *, decided: float, deadline: float | None = None) -> None:
    """A launch decided some seconds ago, by a deadline that was some seconds ago, or by a log."""
    due = ago(deadline if deadline is not None else decided)
    state = State.READY if deadline is None else State.MISSED
    known = Readiness("hive.sales", day, state, due, 0, 1)
    launch = Launch(SALES, day, {"hive.sales": known}, decided_at=ago(decided), due_at=due)
    await store.connection.execute(
        "insert into readiness.launch (condition, business_date, decided_at, evidence) values ($1, $2, $3, $4)",
        SALES.text,
        day,
        launch.decided_at,
        launch.to_json(),
    )


async def test_the_registrar_tells_the_latency_of_launches_once(
    store: Store, statsd: Statsd, today: dt.date, eventually: Eventually
) -> None:
    by_log, by_deadline, by_hand = (today - dt.timedelta(days=n) for n in range(3))
    await decide(store, by_log, decided=12)
    await decide(store, by_deadline, decided=12, deadline=14)
    events = [
        EventSeen(LAUNCH_GROUP, "x", day.isoformat(), ago(10), {"condition": SALES.to_json()})
        for day in (by_log, by_deadline, by_hand)
    ]
    airflow = Airflow()
    airflow.events = events
    registrar = Registrar(airflow)
    for _ in range(2):
        await registrar.register(store)
    await eventually(lambda: statsd.heard("deadline_error"))
    latencies, errors = statsd.heard("launch_latency"), statsd.heard("deadline_error")
    assert [kind for _, kind in latencies + errors] == ["ms"] * 3
    assert all(1900 < value < 2500 for value, _ in latencies)
    assert 3900 < errors[0][0] < 4500


async def test_the_processor_tells_how_todays_sources_stand(
    store: Store,
    statsd: Statsd,
    settings: Config,
    endpoints: Endpoints,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
) -> None:
    await engine.configure(store, settings)
    for table, deadline in (("a", now() + dt.timedelta(hours=1)), ("b", ago(60)), ("c", ago(60))):
        await store.run("expect", "hive", table, today, deadline)
    # another day counts for nothing
    await store.run("expect", "hive", "a", today - dt.timedelta(days=1), ago(60))
    async with at_work(Processor(settings, endpoints).serve()):
        await eventually(lambda: statsd.heard("missed"))
    assert statsd.heard("waiting")[0] == (1, "g")
    assert statsd.heard("missed")[0] == (2, "g")


async def test_a_redis_that_goes_away_is_counted(
    statsd: Statsd, own_endpoints: Endpoints, own_redis: RedisServer, eventually: Eventually
) -> None:
    async with open_hub(own_endpoints) as hub:
        await eventually(lambda: hub.connected)
        assert statsd.heard("redis_reconnects") == []
        own_redis.stop()
        await eventually(lambda: statsd.heard("redis_reconnects"))
    assert set(statsd.heard("redis_reconnects")) == {(1, "c")}


async def test_the_watch_tells_how_many_problems_there_are(
    store: Store,
    statsd: Statsd,
    settings: Config,
    endpoints: Endpoints,
    monkeypatch: pytest.MonkeyPatch,
    at_work: AtWork,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(config, "load", lambda: settings)
    monkeypatch.setattr(config, "endpoints", lambda _settings: endpoints)
    monkeypatch.setattr(health, "EVERY", 0.05)
    async with at_work(health.watch()):
        found = await health.check(settings, endpoints)
        await eventually(lambda: (found.degraded, "g") in statsd.heard("degraded"))
        assert found.degraded >= 3
        # a check that fails altogether is not the end
        with monkeypatch.context() as broken:
            broken.setattr(health, "check", None)
            await eventually(lambda: "the health cannot be checked" in caplog.text)
        count = len(statsd.heard("degraded"))
        await eventually(lambda: len(statsd.heard("degraded")) > count)
    assert caplog.text.count("the health cannot be checked") == 1


def test_a_worker_that_has_no_loop_sends_at_once(statsd: Statsd) -> None:
    metrics.batch(7)
    assert statsd.heard("batch_size") == [(7, "g")]


@pytest.mark.usefixtures("uninitialised")
async def test_without_a_statsd_nothing_is_sent_and_nothing_raised() -> None:
    metrics.batch(1)
    await asyncio.to_thread(metrics.batch, 1)


@pytest.mark.usefixtures("uninitialised")
async def test_a_metric_that_cannot_be_sent_raises_nothing_and_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    asked: list[str] = []

    def nobody(*_args: Any) -> None:
        asked.append("asked")
        raise RuntimeError("no statsd")

    monkeypatch.setattr(stats, "incr", nobody)
    metrics.redis_reconnect()
    await eventually(lambda: asked)
    await asyncio.to_thread(metrics.redis_reconnect)
    assert asked == ["asked"] * 2


@pytest.mark.usefixtures("uninitialised")
async def test_a_statsd_whose_name_takes_long_to_resolve_does_not_hold_up_the_loop(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    resolved = threading.Event()
    waited: list[bool] = []
    monkeypatch.setattr(stats, "incr", lambda *_: waited.append(resolved.wait(5)))
    metrics.redis_reconnect()
    resolved.set()
    await eventually(lambda: waited)
    assert waited == [True]
