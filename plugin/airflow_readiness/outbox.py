"""What is due and not yet seen as an event in Airflow: read from Postgres, or around it from Redis."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from airflow_readiness import config, engine, metrics
from airflow_readiness.core.document import Launch
from airflow_readiness.core.state import Readiness
from airflow_readiness.engine import Pair, launch_of
from airflow_readiness.signal import snapshot
from airflow_readiness.store.store import LOST, POSTGRES_DOWN, Store, open_store, readiness_of

log = logging.getLogger(__name__)

#: When Airflow recorded the event of a launch, if it did so after an instant; it may raise. Blocking.
Recorded = Callable[[Launch, dt.datetime], "dt.datetime | None"]

#: Launches about which Airflow is asked one by one, at 13 ms each; of more, the registrar knows sooner.
ASK: Final = 20
#: Seconds for which a worker looks for launches before it leaves that to the triggerer, and how often.
MOMENT: Final = 4.0
GLANCE: Final = 0.2
#: Source events at once, at the most: a launch that falls due meanwhile waits for them.
LINEAGE: Final = 25
#: Seconds for which a worker waits until the registrar has looked at Airflow, where it must, and how often.
PATIENCE: Final = 15.0
LOOK: Final = 0.1
#: Seconds for which Airflow is asked what it has recorded, while Postgres is down.
ASKING: Final = 5.0
#: An event is stamped before its transaction ends: the registrar may have missed one of this age.
IN_FLIGHT: Final = dt.timedelta(seconds=60)
#: Where the registrar has never looked: somebody may publish by hand before the day itself.
BEFORE: Final = dt.timedelta(days=2)


@dataclass(slots=True)
class Due:
    """What is to be published now: launches, or else sources (lineage)."""

    launches: list[Launch] = field(default_factory=list)
    lineage: list[Readiness] = field(default_factory=list)


async def due(
    settings: config.Config,
    endpoints: config.Endpoints,
    sources: list[str],
    recorded: Recorded,
    *,
    step: bool = False,
    moment: float = 0,
) -> Due:
    """What is due by Postgres, as :func:`due_in_postgres` says; around it by Redis, if it is down."""
    look = partial(due_in_postgres, settings, endpoints, sources, recorded, step=step, moment=moment)
    try:
        try:
            return await look()
        except LOST as error:
            # a session that was ended says little of the server: once more
            log.warning("the session with Postgres was lost (%s)", error)
            return await look()
    except POSTGRES_DOWN as error:
        log.warning("Postgres cannot be read (%s); publishing what Redis says is due", error)
    # imported only now: it takes a worker longer than all the rest of its work
    from airflow_readiness.signal.client import REDIS_DOWN

    try:
        return Due(launches=await due_in_redis(endpoints, settings.batch_size, recorded))
    except REDIS_DOWN as error:
        log.warning("Redis cannot be read either (%s)", error)
        return Due()


async def due_in_postgres(
    settings: config.Config,
    endpoints: config.Endpoints,
    sources: list[str],
    recorded: Recorded,
    *,
    step: bool = False,
    moment: float = 0,
) -> Due:
    """What is due, by Postgres, and marked there as attempted.

    :param sources: sources that are published although no flow waits for them
    :param recorded: asks Airflow for the event of a launch
    :param step: take a full step of the engine first (nobody in the triggerer does)
    :param moment: seconds to wait for a launch before the sources have their turn
    """
    until = time.monotonic() + moment
    async with open_store(endpoints.postgres) as store:
        await store.run("beat", "collector", None, {"publishing": True})
        if step:
            await engine.full_step(store, settings, endpoints.redis)
        while True:
            if launches := await _launches(store, settings.batch_size, recorded):
                return Due(launches=await _attempt(store, launches))
            if time.monotonic() >= until:
                break
            await asyncio.sleep(GLANCE)
        rows = await store.fetch("lineage", min(settings.batch_size, LINEAGE), sources)
        await store.run_pairs("lineage_attempt", [(row["source"], row["business_date"]) for row in rows])
        return Due(lineage=[readiness_of(row) for row in rows])


async def _attempt(store: Store, launches: list[Launch]) -> list[Launch]:
    pairs = [(each.condition.text, each.business_date) for each in launches]
    rows = await store.fetch_pairs("attempt", pairs)
    # a source that came late meanwhile goes along, and causes no rerun
    now = {(row["condition"], row["business_date"]): launch_of(row) for row in rows}
    return [now.get(pair, launch) for pair, launch in zip(pairs, launches, strict=True)]


async def _launches(store: Store, limit: int, recorded: Recorded) -> list[Launch]:
    """What is due and was not published: not by an earlier attempt, by hand, or while Postgres was away.

    This is the only publisher and its earlier runs have ended. So what the registrar does not see from
    now on is not there; before it has looked, Airflow is asked.
    """
    now = await engine.clock(store)
    launches = [launch_of(row) for row in await store.fetch("outbox", limit)]
    if len(launches) > ASK and await registrar_looked(store, now):
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
    if doubtful and await registrar_looked(store, now):
        due = [launch_of(row) for row in await store.fetch("outbox", limit)]
        clear += [each for each in due if (each.condition.text, each.business_date) in doubtful]
    return clear


async def _registrar_beat(store: Store) -> dt.datetime | None:
    beats = {row["part"]: row["beat_at"] for row in await store.fetch("heartbeats")}
    return beats.get("registrar")


async def registrar_looked(store: Store, since: dt.datetime) -> bool:
    """Ask the registrar for a look, and wait for one; without a bell it looks at its own interval."""
    await store.run("ring_registrar")
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        beat = await _registrar_beat(store)
        if beat is not None and beat > since:
            return True
        await asyncio.sleep(LOOK)
    return False


async def due_in_redis(endpoints: config.Endpoints, limit: int, recorded: Recorded) -> list[Launch]:
    """What is due by Redis and not recorded in Airflow: the way around a Postgres that is down.

    What Airflow has recorded is marked so in Redis, for the next look.

    :raises REDIS_DOWN: if Redis cannot be read either
    """
    from airflow_readiness.signal.client import REDIS_DOWN, open_redis

    unseen: list[Launch] = []
    seen: list[Launch] = []
    async with open_redis(endpoints.redis) as redis:
        now = dt.datetime.now(dt.timezone.utc)
        due, broken = await snapshot.due_launches(redis, now)
    for sentence in broken:
        log.error("%s", sentence)
    until = time.monotonic() + ASKING
    for launch in due:
        if len(unseen) == limit or time.monotonic() > until:
            # what nobody has decided came first; the rest is asked about at the next look
            break
        begin = dt.datetime.combine(launch.business_date, dt.time(), dt.timezone.utc)
        try:
            published_at = await asyncio.to_thread(recorded, launch, begin - BEFORE)
        except Exception as error:
            # Airflow cannot show an event whose run has not started yet; rather later than twice
            log.warning("Airflow does not say whether %s was published for %s (%s)",
                        launch.condition.text, launch.business_date, error)  # fmt: skip
        else:
            known = dataclasses.replace(launch, published_at=published_at)
            (seen if published_at else unseen).append(known)
    with contextlib.suppress(*REDIS_DOWN):
        async with open_redis(endpoints.redis) as redis:
            await snapshot.write(redis, [], seen)
    return [_decided(launch, now) for launch in unseen]


def _decided(launch: Launch, now: dt.datetime) -> Launch:
    sources = {name: known.at(now) for name, known in launch.sources.items()}
    return dataclasses.replace(launch, decided_at=launch.decided_at or now, sources=sources)
