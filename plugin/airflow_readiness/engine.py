"""One step of the whole: logs → readiness → launches → Redis.

Whoever calls :func:`tick` — the processor in the triggerer, or a worker when there is no triggerer —
does the same, and it may be done twice: ``advance()`` is serialised by a lock, a launch is inserted
once, and what is written to Redis is read from Postgres.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_readiness.config import Config
from airflow_readiness.core.condition import Condition, Moment, from_json
from airflow_readiness.core.document import Launch, load_launch
from airflow_readiness.core.judge import judge
from airflow_readiness.core.names import split_source
from airflow_readiness.core.state import Readiness, State
from airflow_readiness.reruns import rerun
from airflow_readiness.signal import snapshot
from airflow_readiness.store.store import Row, Store, open_store, readiness_of

if TYPE_CHECKING:
    from airflow_readiness.signal.client import Client

Pair = tuple[str, dt.date]


@dataclass(slots=True)
class Tick:
    """What one step brought. Instants are UTC, by the clock of Postgres."""

    now: dt.datetime
    #: the deployment's
    timezone: str
    #: when there is something to do although nobody rings
    wake_at: dt.datetime | None = None
    changed: list[Readiness] = field(default_factory=list)
    #: launches decided in this step
    launched: list[Launch] = field(default_factory=list)
    #: decided against: skipped, or failed
    skipped: list[Launch] = field(default_factory=list)
    #: launches to come, whose plan changed
    planned: list[Launch] = field(default_factory=list)
    #: to be started again, for a source that came late
    again: list[Launch] = field(default_factory=list)


async def tick(store: Store, *, everything: bool = False, now: dt.datetime | None = None) -> Tick:
    """Apply the settings to the logs, evaluate the conditions that changed, insert launches.

    One transaction: what changed is evaluated, or has not changed yet.

    :param everything: evaluate all conditions, not only those whose sources changed
    :param now: the instant to judge by; the clock of Postgres if none
    """
    async with store.connection.transaction():
        # one instant for the whole step, so that no deadline falls between two looks at the clock
        await store.run("serialise")
        now = now or await clock(store)
        rows = await store.fetch("advance", now)
        changed = [readiness_of(row) for row in rows]
        if any(each.state in (State.MISSED, State.LATE) for each in changed):
            await store.run("ring_alarms")
        late: list[Row] = []
        pairs = list(await store.fetch("due_plans", now))
        if changed:
            sources = [(s.source, s.business_date) for s in changed]
            pairs += await store.fetch_pairs("touched_pairs", sources)
            late += await store.fetch_pairs("touched_reruns", sources)
        if everything:
            # beside what changed: that may be a date longer ago than these go back
            pairs += await store.fetch("open_pairs", now)
            late += await store.fetch("late_reruns", now)
        (deployment,) = await store.fetch("deployment")
        result = Tick(now, deployment["timezone"], changed=changed)
        await _evaluate(store, pairs, result)
        came_late = ((row["source"], row["business_date"]) for row in late)
        result.again = await rerun(store, came_late, now, result.timezone)
        (wake,) = await store.fetch("next_wake", now)
        result.wake_at = wake["wake_at"]
    return result


async def _evaluate(store: Store, pairs: Iterable[Row], result: Tick) -> None:
    conditions: dict[str, Condition] = {}
    wanted: dict[Pair, Condition] = {}
    for row in pairs:
        condition = conditions.setdefault(row["condition"], from_json(row["expression"]))
        wanted[row["condition"], row["business_date"]] = condition
    of_sources = ((name, day) for (_, day), condition in wanted.items() for name in condition.sources)
    known = await _states(store, of_sources)
    decided: dict[Pair, Launch] = {}
    for (_, day), condition in wanted.items():
        sources = {name: known[name, day] for name in condition.sources if (name, day) in known}
        launch = judge(condition, sources, Moment(result.now, day, result.timezone))
        if launch.decided_at:
            decided[condition.text, day] = launch
        else:
            result.planned.append(launch)
    await _plan(store, result)
    evidence = [launch.to_json() for launch in decided.values()]
    inserted = await store.fetch_pairs("insert_launches", decided, evidence, result.now) if decided else []
    new = {(row["condition"], row["business_date"]) for row in inserted}
    for pair, launch in decided.items():
        if pair in new:
            (result.launched if launch.starts else result.skipped).append(launch)


async def _plan(store: Store, result: Tick) -> None:
    """Keep when conditions with times of their own fall due: no source changes then."""
    plans = {
        (launch.condition.text, launch.business_date): launch.due_at
        for launch in result.planned
        if launch.condition.own_times and launch.due_at and launch.due_at > result.now
    }
    if plans:
        await store.fetch_pairs("plan", plans, list(plans.values()))


async def clock(store: Store) -> dt.datetime:
    """The clock of Postgres, in UTC."""
    (row,) = await store.fetch("clock")
    now: dt.datetime = row["now"]
    return now


async def _states(store: Store, pairs: Iterable[Pair]) -> dict[Pair, Readiness]:
    rows = await store.fetch_pairs("states", sorted(set(pairs)))
    return {(row["source"], row["business_date"]): readiness_of(row) for row in rows}


async def publish_snapshot(redis: Client, result: Tick) -> None:
    """Write what a step changed to Redis. Launches go first: somebody waits for them."""
    await snapshot.write(redis, [], result.launched)
    await snapshot.write(redis, result.changed, [*result.skipped, *result.planned])


async def rebuild_snapshot(store: Store, redis: Client) -> int:
    """Write everything that Redis should hold, read from Postgres. Returns the number of documents."""
    states = [readiness_of(row) for row in await store.fetch("snapshot_states")]
    launches = [launch_of(row) for row in await store.fetch("snapshot_launches")]
    (deployment,) = await store.fetch("deployment")
    result = Tick(await clock(store), deployment["timezone"])
    async with store.connection.transaction():
        await _evaluate(store, await store.fetch("open_pairs", result.now), result)
    launches += result.launched + result.skipped + result.planned
    await snapshot.write(redis, states, launches)
    await snapshot.mark(redis, deployment["id"])
    return len(states) + len(launches)


def launch_of(row: Row) -> Launch:
    """A row of ``outbox``, ``repairs`` or ``snapshot_launches`` as a :class:`Launch`."""
    return load_launch(row["evidence"])


async def full_step(store: Store, settings: Config, redis_options: dict[str, Any]) -> Tick:
    """What the processor does at its start, for a worker that stands in for it."""
    await configure(store, settings)
    result = await tick(store, everything=True)
    await signal(redis_options, result)
    return result


async def look(
    postgres: dict[str, Any], redis_options: dict[str, Any], condition: Condition, day: dt.date
) -> Launch:
    """What is known of a condition for a date; ``decided_at`` is set if it is decided.

    For a worker that has nobody else to ask: it takes the processor's step by the way.
    """
    async with open_store(postgres) as store:
        for name in condition.sources:
            await store.run("expect", *split_source(name), day, None)
        result = await tick(store)
        rows = await store.fetch_pairs("states", [(name, day) for name in condition.sources])
        known = {row["source"]: readiness_of(row) for row in rows}
    await signal(redis_options, result)
    return judge(condition, known, Moment(result.now, day, result.timezone))


async def signal(redis_options: dict[str, Any], result: Tick) -> None:
    """Write a step to Redis if it can be reached; else the processor rebuilds it when it is back."""
    # not at the top: a worker that only publishes has no need of Redis, and its import takes a while
    from airflow_readiness.signal.client import REDIS_DOWN, open_redis

    with contextlib.suppress(*REDIS_DOWN):
        async with open_redis(redis_options) as redis:
            await publish_snapshot(redis, result)


async def configure(store: Store, config: Config) -> str:
    """Copy ``[readiness]`` into Postgres, where ``advance()`` reads it. Returns the database's id."""
    await store.run("set_deployment", config.timezone, config.default_deadline)
    (deployment,) = await store.fetch("deployment")
    return str(deployment["id"])
