"""How a change is learnt of where Redis, or its administrator, forbids the usual way."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import of_source
from airflow_readiness.demo.servers import embedded_redis, free_port
from airflow_readiness.signal import subscription as subscription_module
from airflow_readiness.signal.client import open_redis, open_server
from airflow_readiness.signal.subscription import Subscription, open_subscription
from airflow_readiness.store.store import Store
from airflow_readiness_triggers import collector as collector_module
from airflow_readiness_triggers import hub as hub_module
from airflow_readiness_triggers.collector import Collector
from airflow_readiness_triggers.hub import Hub, open_hub
from airflow_readiness_triggers.tasks import stop
from tests.integration.relay import relay

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind", "hasty")

Eventually = Callable[..., Awaitable[Any]]

KEY = "readiness:hive.sales:2026-11-22"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription_module, "SELF_TEST", 0.3)
    monkeypatch.setattr(hub_module, "REREAD", 3600)
    monkeypatch.setattr(hub_module, "TIMER", 0.2)


@contextlib.asynccontextmanager
async def without_config(dsn: dict[str, Any], folder: Path) -> AsyncIterator[tuple[Endpoints, Redis]]:
    """A Redis whose notifications are off, and stay so."""
    with embedded_redis(folder, free_port(), "--rename-command", "CONFIG", "") as server:
        options = {"host": "127.0.0.1", "port": server.port, "db": 0}
        async with open_server(options) as admin:
            yield Endpoints(dsn, options), admin


@contextlib.asynccontextmanager
async def restricted(dsn: dict[str, Any], folder: Path, *rules: str) -> AsyncIterator[tuple[Endpoints, Redis]]:
    """A Redis whose notifications are off, and a user of it who may do everything but what the rules say."""
    with embedded_redis(folder, free_port()) as server:
        options = {"host": "127.0.0.1", "port": server.port, "db": 0}
        async with open_server(options) as admin:
            acl: Any = admin
            await acl.execute_command(*f"ACL SETUSER engine on >secret ~* &* +@all {' '.join(rules)}".split())
            yield Endpoints(dsn, {**options, "username": "engine", "password": "secret"}), admin


async def reads(hub: Hub, admin: Redis, eventually: Eventually, value: str, within: float = 2) -> None:
    await admin.set(KEY, value)
    await eventually(lambda: hub.documents.get(KEY) == value, within)


def times_said(caplog: pytest.LogCaptureFixture, sentence: str) -> int:
    return sum(sentence in record.getMessage() for record in caplog.records)


async def test_without_config_changes_are_tracked(
    dsn: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture, eventually: Eventually
) -> None:
    async with without_config(dsn, tmp_path) as (endpoints, admin):
        async with open_hub(endpoints) as hub, hub.watch([KEY]) as watch:
            await eventually(lambda: watch.mode == "tracking")
            assert watch.connected
            await reads(hub, admin, eventually, "told")
            await admin.delete(KEY)
            await eventually(lambda: hub.documents[KEY] is None)
            await reads(hub, admin, eventually, "told again")
            # which notifications would not tell of
            await admin.flushall()
            await eventually(lambda: hub.documents[KEY] is None)
            await admin.client_kill_filter(_type="pubsub")
            await eventually(lambda: hub.reconnects == 1)
            await reads(hub, admin, eventually, "told after all")
            assert hub.advice == (
                "Redis gives no keyspace notifications (unknown command `CONFIG`): CLIENT TRACKING is used "
                "instead, and nothing is late. To have notifications, have its administrator set "
                "notify-keyspace-events to at least 'Kg$'"
            )
            assert times_said(caplog, hub.advice) == 1

        async def gone() -> bool:
            return len(await admin.client_list()) == 1

        await eventually(gone)


async def test_without_config_and_client_everything_is_read_by_a_timer_and_it_is_said_once(
    dsn: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture, eventually: Eventually
) -> None:
    async with (
        restricted(dsn, tmp_path, "-config", "-client") as (endpoints, admin),
        open_hub(endpoints) as hub,
        hub.watch([KEY]) as watch,
        hub.watch(prefix="readiness:launch:") as listener,
    ):
        await eventually(lambda: watch.mode == "timer")
        assert not watch.connected
        await reads(hub, admin, eventually, "by the timer")
        while await listener.changed(0):
            pass
        assert await listener.changed(2)
        reached = len(await admin.client_list())
        await admin.client_kill_filter(_type="normal", skipme=True)
        await eventually(lambda: hub.reconnects)
        await reads(hub, admin, eventually, "and on")
        assert len(await admin.client_list()) <= reached
        assert hub.advice == (
            "Redis gives no keyspace notifications (this user has no permissions to run the 'config' command "
            "or its subcommand), and CLIENT TRACKING does not serve (this user has no permissions to run the "
            "'client' command or its subcommand): readiness is read by a timer. To be told at once, have its "
            "administrator set notify-keyspace-events to at least 'Kg$', or allow CLIENT ID, CLIENT TRACKING "
            "and the channel __redis__:invalidate"
        )
        assert times_said(caplog, hub.advice) == 1


async def test_what_the_advice_says_helps_without_a_restart(
    dsn: dict[str, Any], tmp_path: Path, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "RETEST", 0.2)
    async with (
        restricted(dsn, tmp_path, "-config", "-client") as (endpoints, admin),
        open_hub(endpoints) as hub,
        hub.watch([KEY]) as watch,
    ):
        await eventually(lambda: watch.mode == "timer")
        await admin.config_set("notify-keyspace-events", "Kg$")
        await eventually(lambda: watch.mode == "notifications")
        assert hub.advice is None
        assert hub.reconnects == 0
        await reads(hub, admin, eventually, "told")


@contextlib.asynccontextmanager
async def subscribed(endpoints: Endpoints) -> AsyncIterator[Subscription]:
    async with (
        open_redis(endpoints.redis) as client,
        open_subscription(client, endpoints.redis) as subscription,
    ):
        yield subscription


async def test_notifications_that_were_switched_on_by_others_are_enough(
    dsn: dict[str, Any], tmp_path: Path
) -> None:
    async with restricted(dsn, tmp_path, "-config", "-client") as (endpoints, admin):
        await admin.config_set("notify-keyspace-events", "KA")
        async with subscribed(endpoints) as subscription:
            assert (subscription.mode, subscription.advice) == ("notifications", None)


@pytest.mark.parametrize("setting", ["K$", "Kg", "E$g"])
async def test_notifications_that_leave_something_out_are_not(
    dsn: dict[str, Any], tmp_path: Path, setting: str
) -> None:
    async with restricted(dsn, tmp_path, "-config") as (endpoints, admin):
        await admin.config_set("notify-keyspace-events", setting)
        async with subscribed(endpoints) as subscription:
            assert subscription.mode == "tracking"


async def test_channels_that_an_acl_forbids_lead_to_the_timer(dsn: dict[str, Any], tmp_path: Path) -> None:
    async with (
        restricted(dsn, tmp_path, "resetchannels") as (endpoints, _),
        subscribed(endpoints) as subscription,
    ):
        assert subscription.mode == "timer"
        assert "channels" in str(subscription.advice)


async def test_a_probe_disturbs_nobody_and_does_not_stay(
    endpoints: Endpoints, redis: Redis, eventually: Eventually
) -> None:
    async with open_hub(endpoints) as hub, hub.watch([KEY], prefix="readiness:launch:") as watch:
        await eventually(lambda: watch.connected)
        while await watch.changed(0.1):
            pass
        async with subscribed(endpoints):
            assert not await watch.changed(0.1)
        assert not [key async for key in redis.scan_iter("*")]


async def test_a_subscription_that_is_cancelled_anywhere_leaves_nothing(
    endpoints: Endpoints, redis: Redis, eventually: Eventually
) -> None:
    async def hold() -> None:
        async with subscribed(endpoints) as subscription:
            await asyncio.gather(*(line.listen(lambda _: None, 5) for line in subscription.lines))

    before = asyncio.all_tasks()
    for step in range(25):
        task = asyncio.create_task(hold())
        await asyncio.wait({task}, timeout=step * 0.0008)
        await stop(task)
        assert asyncio.all_tasks() == before

    async def closed() -> bool:
        return len(await redis.client_list()) == 1

    await eventually(closed)


async def test_in_timer_mode_sensors_wake_and_the_collector_looks_at_postgres(
    dsn: dict[str, Any],
    tmp_path: Path,
    store: Store,
    settings: Config,
    today: dt.date,
    eventually: Eventually,
    add_flow: Callable[..., Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collector_module, "SLOW", 3600)
    monkeypatch.setattr(collector_module, "SOON", 0.2)
    # so that it is not the hub's timer that wakes the collector
    monkeypatch.setattr(Hub, "_reread", lambda hub: hub._read_soon(tuple(hub._watches)))
    async with (
        restricted(dsn, tmp_path, "-config", "-client") as (endpoints, _),
        relay(store, settings, endpoints, today, eventually) as at_work,
    ):
        waiting = await at_work.wait_for("hive.sales")
        collector = asyncio.create_task(Collector(settings, endpoints, []).something_due())
        try:
            await eventually(lambda: at_work.hub.mode == "timer")

            async def said() -> bool:
                detail = await store.connection.fetchval(
                    "select detail from readiness.heartbeat where part = 'collector'"
                )
                return bool(detail == {"redis": False, "mode": "timer", "publishing": False})

            await eventually(said)
            await add_flow("flow", of_source("hive.sales"), today)
            await at_work.wakes("hive.sales", waiting)
            await store.connection.execute("select pg_notify('readiness', 'flow')")
            done, _ = await asyncio.wait({collector}, timeout=5)
            assert done
        finally:
            await stop(collector)
