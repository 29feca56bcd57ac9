"""How the system is, right now: one structure for ``airflow readiness doctor``, the board and metrics."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Iterator
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from airflow_readiness import config, metrics
from airflow_readiness.core.names import SNAPSHOT_KEY
from airflow_readiness.diagnosis import (
    SILENT,
    Beat,
    Facts,
    Health,
    Part,
    PostgresFacts,
    Problem,
    RedisFacts,
    Trouble,
    judge,
    publishing,
    span,
)
from airflow_readiness.errors import ReadinessError, SchemaMissing
from airflow_readiness.options import SECTION
from airflow_readiness.signal.client import Client, open_redis
from airflow_readiness.signal.events import SETTING, lacks_events
from airflow_readiness.store.store import open_store
from airflow_readiness_triggers.tasks import limited

log = logging.getLogger(__name__)

#: Seconds after which a server that does not answer is given up.
PATIENCE: Final = 10.0
#: Seconds between two checks for the metric.
EVERY: Final = 30.0


async def check_deployment() -> Health:
    """The health of the deployment that Airflow is configured for; an outage is reported, not raised."""
    try:
        settings = await asyncio.to_thread(config.load)
        endpoints = await asyncio.to_thread(config.endpoints, settings)
    except ReadinessError as error:
        problem = Problem("configuration", "down", *_sentence(error, f"mend [{SECTION}] or the connection"))
        return Health(dt.datetime.now(dt.timezone.utc), (problem,), ())
    return await check(settings, endpoints)


async def check(settings: config.Config, endpoints: config.Endpoints) -> Health:
    """The health by this Postgres and this Redis; takes about ``PATIENCE`` seconds at the most."""
    postgres, redis = await asyncio.gather(_ask_postgres(settings, endpoints), _ask_redis(settings, endpoints))
    facts = Facts(postgres, redis)
    return Health(dt.datetime.now(dt.timezone.utc), tuple(judge(facts)), tuple(_parts(facts)))


async def watch() -> None:
    """Report the number of problems as a metric, again and again until cancelled."""
    complaint = ""
    while True:
        try:
            metrics.degraded((await check_deployment()).degraded)
            complaint = ""
        except Exception as error:
            # it lives in the API server, where nobody would see it end
            if complaint != str(error):
                complaint = str(error)
                log.exception("the health cannot be checked; trying on")
        await asyncio.sleep(EVERY)


async def _ask_postgres(settings: config.Config, endpoints: config.Endpoints) -> PostgresFacts | Problem:
    try:
        return await limited(_postgres_facts(endpoints), PATIENCE)
    except SchemaMissing as error:
        return Problem("postgres", "down", *_sentence(error, "run 'airflow readiness db upgrade'"))
    except Exception as error:
        return Problem(
            "postgres",
            "down",
            f"Postgres cannot be read ({_short(error)}): only deadlines that Redis knows start flows",
            f"start it, or mend the connection {settings.postgres_conn_id!r}",
        )


async def _postgres_facts(endpoints: config.Endpoints) -> PostgresFacts:
    async with open_store(endpoints.postgres) as store:
        (deployment,) = await store.fetch("deployment")
        beats = await store.fetch("heartbeats")
        troubles = await store.fetch("troubles")
        return PostgresFacts(
            store_id=deployment["id"],
            doorbell=deployment["doorbell"],
            beats={row["part"]: Beat(row["age"], row["detail"]) for row in beats},
            troubles={row["kind"]: Trouble(row["number"], ", ".join(row["first"] or ())) for row in troubles},
        )


async def _ask_redis(settings: config.Config, endpoints: config.Endpoints) -> RedisFacts | Problem:
    try:
        return await limited(_redis_facts(endpoints), PATIENCE)
    except Exception as error:
        return Problem(
            "redis",
            "degraded",
            f"Redis cannot be read ({_short(error)}): launches go through Postgres, by a timer",
            f"start it, or mend the connection {settings.redis_conn_id!r}",
        )


async def _redis_facts(endpoints: config.Endpoints) -> RedisFacts:
    async with open_redis(endpoints.redis) as redis:
        mark = await redis.get(SNAPSHOT_KEY)
        return RedisFacts(str(mark) if mark is not None else None, await _events_lacking(redis))


async def _events_lacking(redis: Client) -> bool | None:
    if not isinstance(redis, Redis):
        # a Cluster: each node has its own; the collector's mode says whether notifications come
        return None
    try:
        answer = await redis.config_get(SETTING)
    except ResponseError:
        # managed services forbid CONFIG
        return None
    setting = answer.get(SETTING)
    return None if setting is None else lacks_events(setting)


def _parts(facts: Facts) -> Iterator[Part]:
    known = facts.postgres if isinstance(facts.postgres, PostgresFacts) else None
    yield Part("postgres", "answers" if known else "does not answer")
    yield Part("redis", "answers" if isinstance(facts.redis, RedisFacts) else "does not answer")
    # nobody has to want alarms
    names = [*SILENT, *(["alarms"] if "alarms" in known.beats else [])] if known else []
    for name in names:
        beat = known.beats.get(name) if known else None
        says = f"seen {span(beat.age)} ago" if beat else "never seen"
        if known and publishing(known, name):
            says += ", publishing"
        elif beat and "mode" in beat.detail:
            says += f", mode {beat.detail['mode']}"
        elif beat and "triggerers" in beat.detail:
            says += f", {beat.detail['flows']} flows, {beat.detail['triggerers']} triggerers"
        yield Part(name, says)


def _sentence(error: Exception, remedy: str) -> tuple[str, str]:
    """What is wrong and what to do, of a message of ours, which says both: ``what: what to do``."""
    what, colon, told = str(error).rpartition(": ")
    return (what, told) if colon else (str(error), remedy)


def _short(error: Exception) -> str:
    return str(error) or ("no answer" if isinstance(error, TimeoutError) else type(error).__name__)
