"""What a worker publishes by Redis while Postgres is down: soon, and whatever Airflow and Redis make of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import time

import pytest
from redis.asyncio import Redis

from airflow_readiness import collector as collector_module
from airflow_readiness.collector import CollectOperator
from airflow_readiness.config import Endpoints
from airflow_readiness.core.condition import of_source
from airflow_readiness.core.document import Launch
from airflow_readiness.demo.servers import free_port
from airflow_readiness.signal import snapshot

pytestmark = pytest.mark.usefixtures("nothing_left_behind")

SALES, STORES = of_source("hive.sales"), of_source("hive.stores")


async def due(endpoints: Endpoints) -> list[Launch]:
    operator = CollectOperator(task_id="collect")
    return await asyncio.to_thread(operator._due_by_redis, endpoints, 100)


async def test_a_deadline_does_not_wait_until_airflow_was_asked_about_all_that_was_launched(
    redis: Redis, endpoints: Endpoints, today: dt.date, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Launch] = []

    def slow(launch: Launch, since: dt.datetime) -> dt.datetime | None:
        asked.append(launch)
        time.sleep(0.1)
        return None if launch.condition == SALES else since

    monkeypatch.setattr(collector_module, "_recorded", slow)
    monkeypatch.setattr(collector_module, "ASKING", 0.25)
    now = dt.datetime.now(dt.timezone.utc)
    old = [Launch(STORES, today - dt.timedelta(days=n), {}, decided_at=now) for n in range(20)]
    await snapshot.write(redis, [], [*old, Launch(SALES, today, {}, due_at=now)])
    assert [launch.condition for launch in await due(endpoints)] == [SALES]
    first = len(asked)
    assert first < 10
    # the others are asked about in the next turns, each once
    while (before := len(asked)) < 100:
        await due(endpoints)
        if all(launch.condition == SALES for launch in asked[before:]):
            break
    assert len({launch.business_date for launch in asked if launch.condition == STORES}) == 20
    assert len([launch for launch in asked if launch.condition == STORES]) == 20


async def test_redis_that_goes_away_between_holds_nothing_up(
    redis: Redis, endpoints: Endpoints, today: dt.date, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = dt.datetime.now(dt.timezone.utc)
    await snapshot.write(
        redis, [], [Launch(SALES, today, {}, due_at=now), Launch(STORES, today, {}, decided_at=now)]
    )

    def recorded(launch: Launch, since: dt.datetime) -> dt.datetime | None:
        endpoints.redis.update(host="127.0.0.1", port=free_port())
        return None if launch.condition == SALES else since

    monkeypatch.setattr(collector_module, "_recorded", recorded)
    assert [launch.condition for launch in await due(endpoints)] == [SALES]
