"""Whatever happens to Redis: a waiting sensor wakes, and all is well again without a hand."""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import of_source
from airflow_readiness.demo.servers import RedisServer, embedded_redis, free_port
from airflow_readiness.signal import client as client_module
from airflow_readiness.signal.client import open_server
from airflow_readiness.store.store import Store
from airflow_readiness_triggers import collector as collector_module
from airflow_readiness_triggers import hub as hub_module
from airflow_readiness_triggers import processor as processor_module
from airflow_readiness_triggers.collector import Collector
from airflow_readiness_triggers.tasks import stop
from tests.integration.relay import relay
from tests.tcp_proxy import TcpProxy

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind", "hasty")

Eventually = Callable[..., Awaitable[Any]]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds takes less; timers that are no remedy for the fault at hand take for ever."""
    monkeypatch.setattr(client_module, "TIMEOUT", 0.5)
    monkeypatch.setattr(hub_module, "INSTEAD", 0.2)
    monkeypatch.setattr(hub_module, "REREAD", 3600)
    monkeypatch.setattr(hub_module, "SILENCE", 3600)
    monkeypatch.setattr(processor_module, "SAFETY", 3600)
    monkeypatch.setattr(processor_module, "DEAF", 0.2)


@pytest.fixture
def proxy(own_redis: RedisServer) -> Iterator[TcpProxy]:
    with TcpProxy("127.0.0.1", own_redis.port) as started:
        yield started


@pytest.fixture
def through(proxy: TcpProxy, own_endpoints: Endpoints) -> Endpoints:
    """The same Redis by way of the proxy."""
    return Endpoints(own_endpoints.postgres, {**own_endpoints.redis, "port": proxy.port})


@pytest_asyncio.fixture
async def admin(own_endpoints: Endpoints) -> AsyncIterator[Redis]:
    """Redis itself."""
    async with open_server(own_endpoints.redis) as client:
        yield client


async def alone(admin: Redis, eventually: Eventually) -> None:
    """Wait until nobody else is connected."""

    async def only_me() -> bool:
        return len(await admin.client_list()) == 1

    await eventually(only_me)


@pytest.mark.parametrize("keeps", [True, False], ids=["with its data", "without"])
async def test_a_restart(
    keeps: bool,
    tmp_path: Path,
    store: Store,
    settings: Config,
    dsn: dict[str, Any],
    today: dt.date,
    eventually: Eventually,
) -> None:
    arguments = ["--appendonly", "yes", "--appendfsync", "always"] if keeps else []
    with embedded_redis(tmp_path / "redis", free_port(), *arguments) as server:
        endpoints = Endpoints(dsn, {"host": "127.0.0.1", "port": server.port, "db": 0})
        async with relay(store, settings, endpoints, today, eventually) as at_work:
            during = await at_work.wait_for("hive.during")
            after = await at_work.wait_for("hive.after")
            await asyncio.to_thread(server.stop)
            await at_work.wakes("hive.during", during)
            assert at_work.hub.mode == "postgres"
            await asyncio.to_thread(server.start)
            await at_work.sound("hive.later")
            await at_work.wakes("hive.after", after)
            async with open_server(endpoints.redis) as redis:
                assert await redis.exists(at_work.key("hive.during")), "rebuilt, or kept"
                assert await redis.exists(at_work.key("hive.after"))
        async with open_server(endpoints.redis) as redis:
            await alone(redis, eventually)


async def test_a_frozen_redis_is_suspected_as_soon_as_a_write_fails(
    store: Store,
    settings: Config,
    own_endpoints: Endpoints,
    own_redis: RedisServer,
    today: dt.date,
    eventually: Eventually,
    add_flow: Callable[..., Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
    admin: Redis,
) -> None:
    # a collector that believes in Redis does not look for itself
    monkeypatch.setattr(collector_module, "SOON", 3600)
    monkeypatch.setattr(collector_module, "SLOW", 3600)
    assert own_redis.process
    async with relay(store, settings, own_endpoints, today, eventually) as at_work:
        await add_flow("flow", of_source("hive.sales"), today)
        waiting = await at_work.wait_for("hive.sales")
        await eventually(lambda: at_work.hub.connected)
        collector = asyncio.create_task(Collector(settings, own_endpoints, []).something_due())
        try:
            await eventually(lambda: beat(store, "collector"))
            own_redis.process.send_signal(signal.SIGSTOP)
            await at_work.wakes("hive.sales", waiting)
            done, _ = await asyncio.wait({collector}, timeout=5)
            assert done, "the collector listens to a Redis that is frozen"
            assert collector.result() == "launches"
            assert at_work.hub.mode == "postgres"
        finally:
            own_redis.process.send_signal(signal.SIGCONT)
            await stop(collector)
        await at_work.sound("hive.later")
    await alone(admin, eventually)


async def beat(store: Store, part: str) -> Any:
    """The details of the last heartbeat of a part."""
    return await store.connection.fetchval("select detail from readiness.heartbeat where part = $1", part)


async def test_a_frozen_redis_that_nobody_writes_to_is_noticed_by_its_silence(
    store: Store,
    settings: Config,
    own_endpoints: Endpoints,
    own_redis: RedisServer,
    today: dt.date,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "SILENCE", 0.3)
    assert own_redis.process
    async with relay(store, settings, own_endpoints, today, eventually) as at_work:
        await at_work.sound("hive.before")
        own_redis.process.send_signal(signal.SIGSTOP)
        try:
            await eventually(lambda: at_work.hub.mode == "postgres")
        finally:
            own_redis.process.send_signal(signal.SIGCONT)
        await at_work.sound("hive.later")


@pytest.mark.parametrize("fault", ["blackhole", "cut", "drop"])
async def test_a_network_that_breaks(
    fault: str,
    store: Store,
    settings: Config,
    through: Endpoints,
    proxy: TcpProxy,
    today: dt.date,
    eventually: Eventually,
    admin: Redis,
) -> None:
    async with relay(store, settings, through, today, eventually) as at_work:
        during = await at_work.wait_for("hive.during")
        after = await at_work.wait_for("hive.after")
        await eventually(lambda: at_work.hub.connected)
        getattr(proxy, fault)()
        await at_work.wakes("hive.during", during)
        proxy.passing()
        await at_work.sound("hive.later")
        await at_work.wakes("hive.after", after)
        assert at_work.hub.reconnects
    await alone(admin, eventually)
    await eventually(lambda: proxy.connections == 0)


async def test_a_network_that_is_slow_only_delays(
    store: Store,
    settings: Config,
    through: Endpoints,
    proxy: TcpProxy,
    today: dt.date,
    eventually: Eventually,
) -> None:
    proxy.delay(0.06)
    async with relay(store, settings, through, today, eventually) as at_work:
        await at_work.sound("hive.slow")
        assert at_work.hub.mode == "notifications"
        assert at_work.hub.advice is None
        assert at_work.hub.reconnects == 0


async def test_flushall_under_waiting_sensors(
    store: Store,
    settings: Config,
    own_endpoints: Endpoints,
    today: dt.date,
    eventually: Eventually,
    admin: Redis,
) -> None:
    async with relay(store, settings, own_endpoints, today, eventually) as at_work:
        first = await at_work.wait_for("hive.first")
        second = await at_work.wait_for("hive.second")
        await at_work.sound("hive.before")
        await admin.flushall()
        await at_work.wakes("hive.first", first)
        keys = [at_work.key(name) for name in ("hive.first", "hive.second", "hive.before")]

        async def rebuilt() -> bool:
            return int(await admin.exists(*keys)) == 3

        await eventually(rebuilt)
        await at_work.wakes("hive.second", second)
        assert at_work.hub.reconnects == 0


async def test_a_subscriber_that_redis_throws_out_for_its_backlog(
    store: Store,
    settings: Config,
    own_endpoints: Endpoints,
    today: dt.date,
    eventually: Eventually,
    admin: Redis,
) -> None:
    await admin.config_set("client-output-buffer-limit", "pubsub 20000 0 0")
    async with relay(store, settings, own_endpoints, today, eventually) as at_work:
        waiting = await at_work.wait_for("hive.sales")
        await eventually(lambda: at_work.hub.connected)
        # all of it is told before any of it can be sent
        async with admin.pipeline(transaction=True) as burst:
            for n in range(2000):
                burst.set(f"readiness:a.t{n}:2026-11-22", "", ex=60)
            await burst.execute()
        await eventually(lambda: at_work.hub.reconnects)
        await at_work.wakes("hive.sales", waiting)
        await at_work.sound("hive.later")
    await alone(admin, eventually)


async def test_a_redis_that_takes_no_writes_is_not_relied_upon(
    store: Store,
    settings: Config,
    own_endpoints: Endpoints,
    today: dt.date,
    eventually: Eventually,
    admin: Redis,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with relay(store, settings, own_endpoints, today, eventually) as at_work:
        waiting = await at_work.wait_for("hive.sales")
        await admin.config_set("maxmemory", 1)
        await at_work.wakes("hive.sales", waiting)
        assert at_work.hub.mode == "postgres"
        assert "Redis cannot be relied upon" in caplog.text
        assert "maxmemory" in caplog.text
        # it answers, but the session that follows finds out by itself
        await asyncio.sleep(0.5)
        assert at_work.hub.mode == "postgres"
        assert at_work.hub.reconnects == 0
        await admin.config_set("maxmemory", 0)
        await at_work.sound("hive.later")


async def test_what_a_relay_leaves_behind(
    store: Store,
    settings: Config,
    own_endpoints: Endpoints,
    today: dt.date,
    eventually: Eventually,
    admin: Redis,
) -> None:
    async with relay(store, settings, own_endpoints, today, eventually) as at_work:
        await at_work.sound("hive.sales")
        probes = [key async for key in admin.scan_iter("readiness:probe:*")]
        assert not probes
    await alone(admin, eventually)
