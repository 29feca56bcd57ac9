"""What is due and not yet seen as an event in Airflow: read from Postgres, or around it from Redis."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from airflow_readiness import config, engine, metrics
from airflow_readiness.core.document import Launch
from airflow_readiness.core.state import Readiness
from airflow_readiness.engine import Pair, launch_of
from airflow_readiness.signal import snapshot
from airflow_readiness.store.store import Store, open_store, readiness_of

log = logging.getLogger(__name__)

#: When Airflow recorded the event of a launch, if it did so after an instant; it may raise. Blocking.
Recorded = Callable[[Launch, dt.datetime], "dt.datetime | None"]

#: Launches about which Airflow is asked one by one, at 13 ms each; of more, the registrar knows sooner.
ASK: Final = 20
#: Seconds for which a worker waits until the registrar has looked at Airflow, where it must.
PATIENCE: Final = 15.0
#: An event is stamped before its transaction ends: the registrar may have missed one of this age.
IN_FLIGHT: Final = dt.timedelta(seconds=60)
#: Where the registrar has never looked: somebody may publish by hand before the day itself.
BEFORE: Final = dt.timedelta(days=2)


@dataclass(slots=True)
class Due:
    """What is to be published now: launches, or else sources (lineage)."""

    launches: list[Launch] = field(default_factory=list)
    lineage: list[Readiness] = field(default_factory=list)


async def due_in_postgres(
    settings: config.Config,
    endpoints: config.Endpoints,
    sources: list[str],
    recorded: Recorded,
    *,
    step: bool,
) -> Due:
    """What is due, by Postgres, and marked there as attempted.

    :param sources: sources that are published although no flow waits for them
    :param recorded: asks Airflow for the event of a launch
    :param step: take a full step of the engine first (nobody in the triggerer does)
    """
    async with open_store(endpoints.postgres) as store:
        await store.run("beat", "collector", None, {"publishing": True})
        if step:
            await engine.full_step(store, settings, endpoints.redis)
        launches = await _launches(store, settings.batch_size, recorded)
        if launches:
            await store.run_pairs("attempt", [(each.condition.text, each.business_date) for each in launches])
            return Due(launches=launches)
        rows = await store.fetch("lineage", settings.batch_size, sources)
        await store.run_pairs("lineage_attempt", [(row["source"], row["business_date"]) for row in rows])
        return Due(lineage=[readiness_of(row) for row in rows])


async def _launches(store: Store, limit: int, recorded: Recorded) -> list[Launch]:
    """What is due and was not published: not by an earlier attempt, by hand, or while Postgres was away.

    This is the only publisher and its earlier runs have ended. So what the registrar does not see from
    now on is not there; before it has looked, Airflow is asked.
    """
    now = await engine.clock(store)
    launches = [launch_of(row) for row in await store.fetch("outbox", limit)]
    if len(launches) > ASK and await _registrar_looked(store, now):
        return [launch_of(row) for row in await store.fetch("outbox", limit)]
    known = (await _registrar_beat(store)) or now - BEFORE
    clear: list[Launch] = []
    doubtful: list[Pair] = []
    for launch in launches[:ASK]:
        pair = (launch.condition.text, launch.business_date)
        try:
            published_at = await asyncio.to_thread(recorded, launch, known - IN_FLIGHT)
        except Exception as error:
            # Airflow cannot show an event while the run that it made has not started
            log.warning("Airflow does not say whether %s was published for %s (%s)", *pair, error)
            doubtful.append(pair)
        else:
            if published_at is None:
                clear.append(launch)
            else:
                columns = ([value] for value in (*pair, published_at, launch.to_json()))
                metrics.recorded(await store.fetch("published", *columns))
    if doubtful and await _registrar_looked(store, now):
        due = [launch_of(row) for row in await store.fetch("outbox", limit)]
        clear += [each for each in due if (each.condition.text, each.business_date) in doubtful]
    return clear


async def _registrar_beat(store: Store) -> dt.datetime | None:
    beats = {row["part"]: row["beat_at"] for row in await store.fetch("heartbeats")}
    return beats.get("registrar")


async def _registrar_looked(store: Store, since: dt.datetime) -> bool:
    for _ in range(int(PATIENCE / 0.25)):
        beat = await _registrar_beat(store)
        if beat is not None and beat > since:
            return True
        await asyncio.sleep(0.25)
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
