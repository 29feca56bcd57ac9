"""Launches that are made again: for a source that came late, and says ``on_late = rerun``.

The launch of a condition is one for ever; what is made again is a row of its own, numbered, and the
registrar starts each flow by itself. A source that a start has counted in causes no other one.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping

from airflow_readiness.core.condition import Condition, Moment, Verdict, from_json
from airflow_readiness.core.document import Launch, load_launch
from airflow_readiness.core.judge import judge
from airflow_readiness.core.state import Outcome, Readiness, State
from airflow_readiness.store.store import Row, Store, readiness_of

Pair = tuple[str, dt.date]


async def rerun(store: Store, late: Iterable[Pair], now: dt.datetime, timezone: str) -> list[Launch]:
    """Decide to start again what was started, or skipped, without these sources, each of which is late.

    A launch that no worker has taken yet is told what is known by now instead.

    :param late: (source, date)
    :return: what is started again
    """
    pairs = set(late)
    rows = await store.fetch_pairs("starts_without", pairs) if pairs else []
    known = await _known(store, rows)
    again = []
    for row in rows:
        condition, day = from_json(row["expression"]), row["business_date"]
        states = {name: known[name, day] for name in condition.sources if (name, day) in known}
        names = [name for name in condition.sources if (name, day) in pairs and _is_late(states.get(name))]
        launch = judge(condition, states, Moment(now, day, timezone))
        if not (launch.decided_at and launch.starts):
            # another one forbids it; what was launched before stays as it was
            continue
        if row["untaken"]:
            told = dataclasses.replace(launch, decided_at=row["decided_at"])
            await store.run("tell_launch", condition.text, day, told.to_json())
        elif any(_went_without(row, states[name]) for name in names):
            if not _decided_by_itself(row, condition):
                again.append(dataclasses.replace(launch, rerun=row["number"] + 1))
    if again:
        columns = zip(
            *((each.condition.text, each.business_date, each.rerun, each.to_json()) for each in again),
            strict=True,
        )
        await store.run("insert_reruns", *map(list, columns), now)
    return again


async def _known(store: Store, rows: Iterable[Row]) -> Mapping[Pair, Readiness]:
    wanted = {(name, row["business_date"]) for row in rows for name in from_json(row["expression"]).sources}
    found = await store.fetch_pairs("states", sorted(wanted)) if wanted else []
    return {(row["source"], row["business_date"]): readiness_of(row) for row in found}


def _is_late(known: Readiness | None) -> bool:
    return known is not None and known.state is State.LATE


def _went_without(row: Row, known: Readiness) -> bool:
    """Whether the last start of this launch had not this source, which is late."""
    last = load_launch(row["evidence"])
    outcome = last.outcomes.get(known.source)
    if outcome is Outcome.DEADLINE or (outcome is Outcome.PENDING and last.verdict is Verdict.MISSED):
        return True
    # published by hand, or around Postgres, before it was there; and decided, if at all, when it was
    published_at, ready_at = row["published_at"], known.ready_at
    unknown = row["number"] == 0 and (outcome is Outcome.READY or not last.sources)
    return bool(unknown and published_at and ready_at and published_at < ready_at)


def _decided_by_itself(row: Row, condition: Condition) -> bool:
    """Whether the flow's own deadline has decided against it, for ever."""
    return bool(row["decision"] == "skipped" and condition.on == "skip")
