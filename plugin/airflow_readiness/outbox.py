"""What is due and not yet seen as an event in Airflow: read from Postgres, or around it from Redis."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass, field
from typing import Final

from airflow_readiness import config, engine
from airflow_readiness.core.document import Launch
from airflow_readiness.core.state import Readiness
from airflow_readiness.engine import launch_of
from airflow_readiness.signal import snapshot
from airflow_readiness.store.store import Store, open_store, readiness_of

#: Seconds for which a worker waits until the registrar has looked at Airflow, where it must.
PATIENCE: Final = 15.0


@dataclass(slots=True)
class Due:
    """What is to be published now: launches, or else sources (lineage)."""

    launches: list[Launch] = field(default_factory=list)
    lineage: list[Readiness] = field(default_factory=list)


async def due_in_postgres(
    settings: config.Config, endpoints: config.Endpoints, sources: list[str], *, step: bool
) -> Due:
    """What is due, by Postgres, and marked there as attempted.

    :param sources: sources that are published although no flow waits for them
    :param step: take a full step of the engine first (nobody in the triggerer does)
    """
    async with open_store(endpoints.postgres) as store:
        if step:
            await engine.full_step(store, settings, endpoints.redis)
        launches = await _launches(store, settings.batch_size)
        if launches:
            await store.run_pairs("attempt", [(each.condition.text, each.business_date) for each in launches])
            return Due(launches=launches)
        rows = await store.fetch("lineage", settings.batch_size, sources)
        await store.run_pairs("lineage_attempt", [(row["source"], row["business_date"]) for row in rows])
        return Due(lineage=[readiness_of(row) for row in rows])


async def _launches(store: Store, limit: int) -> list[Launch]:
    rows = await store.fetch("outbox", limit)
    # what was never attempted comes first, and waits for nobody
    if fresh := [row for row in rows if not row["attempted_at"]]:
        return [launch_of(row) for row in fresh]
    # The attempt may have succeeded after the registrar looked. It has ended now, one way or the
    # other; so what the registrar does not see from now on is not there.
    if rows and await _registrar_looked(store, await engine.clock(store)):
        return [launch_of(row) for row in await store.fetch("outbox", limit)]
    return []


async def _registrar_looked(store: Store, since: dt.datetime) -> bool:
    for _ in range(int(PATIENCE / 0.5)):
        beats = {row["part"]: row["beat_at"] for row in await store.fetch("heartbeats")}
        if beats.get("registrar", since) > since:
            return True
        await asyncio.sleep(0.5)
    return False


async def due_in_redis(endpoints: config.Endpoints) -> tuple[list[Launch], list[str]]:
    """What is due, by Redis, while Postgres is down; and a sentence for each broken document."""
    from airflow_readiness.signal.client import open_redis

    async with open_redis(endpoints.redis) as redis:
        return await snapshot.due_launches(redis, dt.datetime.now(dt.timezone.utc))


async def seen_in_airflow(endpoints: config.Endpoints, launches: list[Launch]) -> None:
    """Say in Redis that these were published, while Postgres is down."""
    from airflow_readiness.signal.client import open_redis

    async with open_redis(endpoints.redis) as redis:
        await snapshot.write(redis, [], launches)
