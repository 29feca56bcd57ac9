"""A Cluster: its nodes tell of their own keys only, and keys move from node to node."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio.cluster import RedisCluster
from redis.crc import key_slot
from redis.exceptions import RedisError

from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import of_source
from airflow_readiness.core.document import Launch
from airflow_readiness.signal import client as client_module
from airflow_readiness.signal import snapshot
from airflow_readiness.signal.client import open_redis
from airflow_readiness.store.store import Store
from airflow_readiness_triggers import hub as hub_module
from airflow_readiness_triggers import processor as processor_module
from airflow_readiness_triggers.hub import Hub, open_hub
from tests.integration.redis_topologies import (
    Cluster,
    ask,
    clients,
    is_primary,
    kill,
    migrate_slot,
    redis_cluster,
)
from tests.integration.relay import relay

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind", "hasty")

Eventually = Callable[..., Awaitable[Any]]

#: Over all slots.
KEYS = [f"readiness:a.t{n}:2026-11-22" for n in range(60)]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "TIMEOUT", 1.0)
    monkeypatch.setattr(hub_module, "INSTEAD", 0.2)
    monkeypatch.setattr(hub_module, "TOPOLOGY", 0.2)
    monkeypatch.setattr(hub_module, "REREAD", 3600)
    monkeypatch.setattr(processor_module, "SAFETY", 3600)
    monkeypatch.setattr(processor_module, "DEAF", 0.2)


@pytest_asyncio.fixture
async def cluster(tmp_path: Path, eventually: Eventually) -> AsyncIterator[Cluster]:
    async with redis_cluster(tmp_path / "redis", eventually) as made:
        yield made


@pytest.fixture
def on_cluster(dsn: dict[str, Any], cluster: Cluster) -> Endpoints:
    return Endpoints(dsn, cluster.options)


async def alone(cluster: Cluster, eventually: Eventually) -> None:
    async def nobody() -> bool:
        alive = [node for node in cluster.nodes if node.process and node.process.poll() is None]
        return not [each for node in alive for each in await clients(node)]

    await eventually(nobody)


async def all_seen(hub: Hub, value: str, eventually: Eventually, redis: RedisCluster) -> None:
    """Every key is set, and read by the hub."""
    await eventually(lambda: hub.connected)
    for key in KEYS:
        await redis.set(key, value)
    await eventually(lambda: all(hub.documents.get(key) == value for key in KEYS), 5)


@contextlib.asynccontextmanager
async def client_of(endpoints: Endpoints) -> AsyncIterator[RedisCluster]:
    async with open_redis(endpoints.redis) as client:
        assert isinstance(client, RedisCluster)
        yield client


async def test_keys_of_all_slots_are_heard_of_and_read(
    on_cluster: Endpoints, cluster: Cluster, eventually: Eventually, today: dt.date
) -> None:
    async with client_of(on_cluster) as redis, open_hub(on_cluster) as hub, hub.watch(KEYS) as watch:
        await all_seen(hub, "one", eventually, redis)
        assert watch.mode == "notifications"
        assert hub.advice is None
        for node in cluster.nodes[:3]:
            assert len([each for each in await clients(node) if int(each["psub"])]) == 1
        await redis.delete(KEYS[0])
        await eventually(lambda: hub.documents[KEYS[0]] is None)
        due = [Launch(of_source(f"a.t{n}"), today, {}, due_at=_long_ago()) for n in range(20)]
        await snapshot.write(redis, [], due)
        found, broken = await snapshot.due_launches(redis, dt.datetime.now(dt.timezone.utc))
        assert {launch.condition.text for launch in found} == {launch.condition.text for launch in due}
        assert not broken
        # as MGET sees it
        hash_key = "readiness:a.hash:2026-11-22"
        await redis.hset(hash_key, "x", "y")
        assert await snapshot.read(redis, [hash_key, KEYS[1]]) == {hash_key: None, KEYS[1]: "one"}
    await alone(cluster, eventually)


def _long_ago() -> dt.datetime:
    return dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)


async def test_a_primary_dies_under_waiting_sensors(
    store: Store,
    settings: Config,
    on_cluster: Endpoints,
    cluster: Cluster,
    today: dt.date,
    eventually: Eventually,
) -> None:
    async with relay(store, settings, on_cluster, today, eventually) as at_work:
        names = [f"hive.t{n}" for n in range(12)]
        waiting = {name: await at_work.wait_for(name) for name in names}
        await eventually(lambda: at_work.hub.connected)
        await asyncio.to_thread(kill, cluster.first)
        for name in names[:6]:
            await at_work.wakes(name, waiting[name])
        await eventually(lambda: is_primary(cluster.replica))
        await at_work.sound("hive.later", 20)
        for name in names[6:]:
            await at_work.wakes(name, waiting[name])
        await asyncio.to_thread(cluster.first.start)
        async with client_of(on_cluster) as redis, at_work.hub.watch(KEYS):
            await all_seen(at_work.hub, "after", eventually, redis)
    await alone(cluster, eventually)


async def test_a_primary_that_becomes_a_replica_is_left_although_it_lives(
    on_cluster: Endpoints, cluster: Cluster, eventually: Eventually
) -> None:
    async with client_of(on_cluster) as redis, open_hub(on_cluster) as hub, hub.watch(KEYS):
        await all_seen(hub, "before", eventually, redis)
        for _ in range(4):
            # where both are slow, Redis gives it up after five seconds
            await ask(cluster.replica, "CLUSTER", "FAILOVER")
            with contextlib.suppress(AssertionError):
                await eventually(lambda: is_primary(cluster.replica), 6)
                break
        await eventually(lambda: hub.reconnects and hub.connected)
        await all_seen(hub, "after", eventually, redis)
        listeners = [each for each in await clients(cluster.first) if int(each["psub"])]
        assert not listeners
        assert [each for each in await clients(cluster.replica) if int(each["psub"])]
    await alone(cluster, eventually)


@pytest.mark.parametrize("target", [1, 3], ids=["with slots", "without"])
async def test_a_slot_moves_to_another_node_under_waiting_sensors(
    target: int,
    store: Store,
    settings: Config,
    on_cluster: Endpoints,
    cluster: Cluster,
    today: dt.date,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if target == 3:
        # nobody knows of it before the slot is there: until then only the timer helps
        monkeypatch.setattr(hub_module, "REREAD", 0.3)
    node = cluster.nodes[target]
    async with relay(store, settings, on_cluster, today, eventually) as at_work:
        names = [f"hive.t{n}" for n in range(300)]
        # two of one slot of the first node
        name = next(each for each in names if _slot(at_work.key(each)) < 5461)
        slot = _slot(at_work.key(name))
        twin = next(f"hive.{n}" for n in range(200_000) if _slot(at_work.key(f"hive.{n}")) == slot)
        waiting = {each: await at_work.wait_for(each) for each in (name, twin)}
        end = await migrate_slot(slot, cluster.first, node, cluster.nodes[1:3])
        # is read on its way
        await at_work.wakes(name, waiting[name])
        await end()
        await at_work.wakes(twin, waiting[twin])
        await at_work.sound("hive.later")
        await eventually(lambda: _listened_to(node))
    await alone(cluster, eventually)


def _slot(key: str) -> int:
    return int(key_slot(key.encode()))


async def _listened_to(node: Any) -> bool:
    return any(int(each["psub"]) for each in await clients(node))


async def test_a_cluster_that_is_away_is_a_redis_that_is_away(
    on_cluster: Endpoints, cluster: Cluster, caplog: pytest.LogCaptureFixture, eventually: Eventually
) -> None:
    for node in cluster.nodes:
        await asyncio.to_thread(node.stop)
    with caplog.at_level(logging.WARNING):
        async with open_hub(on_cluster) as hub, hub.watch(KEYS[:1]):
            await eventually(lambda: "Redis cannot be relied upon" in caplog.text)
    assert "starts anew" not in caplog.text
    with pytest.raises(client_module.REDIS_DOWN):
        async with open_redis(on_cluster.redis) as client:
            await client.get("readiness:snapshot")
    assert issubclass(RedisError, client_module.REDIS_DOWN)
