"""Behind Sentinels: a failover is an outage of seconds, and needs no hand."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from airflow_readiness.config import Config, Endpoints
from airflow_readiness.signal import client as client_module
from airflow_readiness.signal.client import open_redis
from airflow_readiness.signal.subscription import open_subscription
from airflow_readiness.store.store import Store
from airflow_readiness_triggers import hub as hub_module
from airflow_readiness_triggers import processor as processor_module
from airflow_readiness_triggers.tasks import stop
from tests.integration.redis_topologies import Watched, clients, kill, watched_redis
from tests.integration.relay import relay

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind", "hasty")

Eventually = Callable[..., Awaitable[Any]]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "TIMEOUT", 1.0)
    monkeypatch.setattr(hub_module, "INSTEAD", 0.2)
    monkeypatch.setattr(hub_module, "TOPOLOGY", 0.2)
    monkeypatch.setattr(hub_module, "REREAD", 3600)
    monkeypatch.setattr(processor_module, "SAFETY", 3600)
    monkeypatch.setattr(processor_module, "DEAF", 0.2)


@pytest_asyncio.fixture
async def watched(tmp_path: Path, eventually: Eventually) -> AsyncIterator[Watched]:
    async with watched_redis(tmp_path / "redis", eventually) as servers:
        yield servers


@pytest.fixture
def behind(dsn: dict[str, Any], watched: Watched) -> Endpoints:
    return Endpoints(dsn, watched.options)


async def alone(watched: Watched, eventually: Eventually) -> None:
    """Wait until nothing of ours is connected anywhere."""

    async def ours() -> bool:
        # redis-py says who it is, a Sentinel has a name
        found = [each for server in watched.servers for each in await clients(server)]
        return not [each for each in found if not each["name"].startswith("sentinel-")]

    await eventually(ours)
    assert not await clients(watched.sentinel)


async def test_the_primary_dies_and_comes_back(
    store: Store,
    settings: Config,
    behind: Endpoints,
    watched: Watched,
    today: dt.date,
    eventually: Eventually,
) -> None:
    async with relay(store, settings, behind, today, eventually) as at_work:
        during = await at_work.wait_for("hive.during")
        after = await at_work.wait_for("hive.after")
        await eventually(lambda: at_work.hub.connected)
        old = await watched.primary()
        await asyncio.to_thread(kill, old)
        await at_work.wakes("hive.during", during)
        await at_work.sound("hive.later")
        assert await watched.primary() is not old
        await asyncio.to_thread(old.start)
        await at_work.wakes("hive.after", after)
        await at_work.sound("hive.at_last")
    await alone(watched, eventually)


async def test_a_failover_on_purpose_with_both_alive(
    store: Store,
    settings: Config,
    behind: Endpoints,
    watched: Watched,
    today: dt.date,
    eventually: Eventually,
) -> None:
    async with relay(store, settings, behind, today, eventually) as at_work:
        waiting = await at_work.wait_for("hive.sales")
        await eventually(lambda: at_work.hub.connected)
        old = await watched.primary()
        await watched.fail_over(eventually)
        await at_work.wakes("hive.sales", waiting)

        async def moved() -> bool:
            return await watched.primary() is not old and at_work.hub.reconnects > 0

        await eventually(moved)
        await at_work.sound("hive.later")
    await alone(watched, eventually)


async def test_a_primary_that_only_the_sentinels_have_left_is_left_too(
    behind: Endpoints, watched: Watched, eventually: Eventually
) -> None:
    """Nobody closes the connection: as where the network split between us and the Sentinels."""
    async with (
        open_redis(behind.redis) as client,
        open_subscription(client, behind.redis) as subscription,
    ):
        assert isinstance(client, Redis)
        assert subscription.mode == "notifications"
        assert subscription.can_move
        await subscription.check()
        old = await watched.primary()
        await watched.fail_over(eventually)

        async def moved() -> bool:
            return await watched.primary() is not old

        await eventually(moved)

        async def told() -> bool:
            try:
                await subscription.check()
            except Exception as error:
                return "the primaries are" in str(error)
            return False

        await eventually(told)


async def test_where_nobody_answers_any_more_what_works_is_left_alone(
    behind: Endpoints, watched: Watched
) -> None:
    async with (
        open_redis(behind.redis) as client,
        open_subscription(client, behind.redis) as subscription,
    ):
        (line,) = subscription.lines
        listening = asyncio.create_task(line.listen(lambda _: None, 5))
        await asyncio.to_thread(watched.sentinel.stop)
        await subscription.check()
        key = "readiness:hive.sales:2026-11-22"
        assert await subscription.read([key]) == {key: None}
        await stop(listening)
    with pytest.raises(client_module.REDIS_DOWN, match="no Sentinel of 127.0.0.1:.* a primary 'mymaster'"):
        async with open_redis(behind.redis) as late:
            await late.get("readiness:snapshot")
