"""What Redis holds: a document for each source and date, and for each launch to come or just made."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from airflow_readiness.core.document import Launch, dump_readiness, load_launch
from airflow_readiness.core.names import KEY_PREFIX, SNAPSHOT_KEY, launch_key, source_key
from airflow_readiness.core.state import Readiness
from airflow_readiness.errors import BadDocument

if TYPE_CHECKING:
    from redis.asyncio.cluster import RedisCluster

    from airflow_readiness.signal.client import Client

#: Seconds for which a document stays: longer than any window is open.
TTL: Final = 4 * 24 * 3600
#: The same for a launch that was decided: a signal, and for a while the way around Postgres.
TTL_DECIDED: Final = 300
#: Commands in one round trip.
_CHUNK: Final = 1000
#: Keys that are read in one.
READ: Final = 5000


async def write(redis: Client, states: Iterable[Readiness], launches: Iterable[Launch]) -> None:
    """Set these documents, in as few round trips as there are thousands of them."""
    documents = [(source_key(s.source, s.business_date.isoformat()), dump_readiness(s), TTL) for s in states]
    for each in launches:
        key = launch_key(each.condition.text, each.business_date.isoformat())
        documents.append((key, json.dumps(each.to_json()), TTL_DECIDED if each.decided_at else TTL))
    for start in range(0, len(documents), _CHUNK):
        async with redis.pipeline(transaction=False) as pipeline:
            for key, document, seconds in documents[start : start + _CHUNK]:
                pipeline.set(key, document, ex=seconds)
            await pipeline.execute()


async def read(redis: Client, keys: Sequence[str]) -> dict[str, str | None]:
    """The documents of these keys; none where there is none.

    :raises REDIS_DOWN: if one of them cannot be read
    """
    # not at the top: who only writes DAG files has no need of it
    from redis.asyncio import Redis

    documents: dict[str, str | None] = {}
    for start in range(0, len(keys), READ):
        chunk = keys[start : start + READ]
        values: Any
        if isinstance(redis, Redis):
            values = await redis.mget(chunk)
        else:
            values = await _read_across_slots(redis, chunk)
        documents.update(zip(chunk, values, strict=True))
    return documents


async def _read_across_slots(cluster: RedisCluster, keys: Sequence[str]) -> list[str | None]:
    # one GET for each: a MGET of two keys fails while their slot is on its way to another node
    async with cluster.pipeline() as pipeline:
        for key in keys:
            pipeline.get(key)
        values: list[Any] = await pipeline.execute(raise_on_error=False)
    for each in values:
        if isinstance(each, Exception) and not str(each).startswith("WRONGTYPE"):
            raise each
    # what is no string is no document, as MGET sees it too
    return [None if isinstance(each, Exception) else each for each in values]


async def mark(redis: Client, store_id: str) -> None:
    """Say that Redis now holds everything of the Postgres with this id."""
    await redis.set(SNAPSHOT_KEY, store_id)


async def is_marked(redis: Client, store_id: str) -> bool:
    """Whether Redis still holds what was written from the Postgres with this id."""
    return bool(await redis.get(SNAPSHOT_KEY) == store_id)


async def due_launches(redis: Client, now: dt.datetime) -> tuple[list[Launch], list[str]]:
    """The launches that Redis says are due and that were not published from there.

    The way around a Postgres that is down: a plan whose deadline has passed is due, unless it is to
    be skipped then.

    :return: the launches, first those that nobody has decided, and a sentence for every broken document
    """
    due: list[Launch] = []
    broken: list[str] = []
    # SCAN may name a key twice
    keys = list({key async for key in redis.scan_iter(f"{KEY_PREFIX}launch:*", count=_CHUNK)})
    for raw in (await read(redis, keys)).values():
        try:
            launch = load_launch(raw) if raw is not None else None
        except BadDocument as error:
            broken.append(str(error))
            continue
        if launch and launch.starts and not launch.published_at and _is_due(launch, now):
            due.append(launch)
    return sorted(due, key=partial(_turn, now)), broken


def _turn(now: dt.datetime, launch: Launch) -> tuple[bool, dt.timedelta]:
    """What was decided was most likely published too before Postgres went away: all but the last."""
    if launch.decided_at:
        return True, now - launch.decided_at
    return False, (launch.due_at or now) - now


def _is_due(launch: Launch, now: dt.datetime) -> bool:
    return launch.decided_at is not None or (launch.due_at is not None and launch.due_at <= now)
