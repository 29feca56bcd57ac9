"""``airflow readiness mark-ready | skip | extend``: what an operator says of a source for a date.

The SQL functions of these names decide, and keep who did what. They only write down what was said: the
processor takes the step, launches are made in the one way there is, never twice.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pendulum

from airflow_readiness.core.clock import Clock
from airflow_readiness.core.dates import parse_date
from airflow_readiness.core.names import split_source
from airflow_readiness.core.state import State
from airflow_readiness.errors import BadInput, UnknownSource
from airflow_readiness.operating.known import Known, known_of, read_clock
from airflow_readiness.operating.refusal import plainly
from airflow_readiness.store.store import Row, Store

#: Seconds for which the processor's step is waited for, to say what came of it.
PATIENCE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Flows:
    """The flows that wait for the source on the date, as they stand afterwards."""

    #: launched before: nothing changes for them
    before: tuple[str, ...]
    #: launched by this
    launched: tuple[str, ...]
    waiting: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """What was said, and what came of it."""

    action: Literal["mark-ready", "skip", "extend"]
    known: Known
    clock: Clock
    #: its state before
    was: str
    flows: Flows
    #: whether the processor has taken it into account
    applied: bool

    @property
    def changed(self) -> bool:
        """Whether it was not so already."""
        return self.action == "extend" or self.was not in ("ready", "late")

    @property
    def exit_code(self) -> int:
        """0: it is so, from now on or since before."""
        return 0

    def to_json(self) -> dict[str, Any]:
        """What came of it."""
        return {
            "action": self.action,
            "was": self.was,
            "changed": self.changed,
            "applied": self.applied,
            "source": self.known.to_json(self.clock.now),
            "launched": list(self.flows.launched),
            "launched_before": list(self.flows.before),
            "waiting": list(self.flows.waiting),
        }

    def parts(self) -> Iterator[str]:
        """Sentences."""
        yield self._headline()
        if self.changed and not self.applied:
            yield "It takes effect with the processor's next step, or when the logs begin to count."
        if self.flows.launched:
            yield f"Launched by this: {', '.join(self.flows.launched)}."
        if self.flows.waiting:
            yield f"Not launched yet: {', '.join(self.flows.waiting)} (see 'airflow readiness why')."
        if self.flows.before:
            yield (
                f"Launched before, so nothing changes for them: {', '.join(self.flows.before)} "
                "('airflow readiness rerun' starts one again)."
            )

    def _headline(self) -> str:
        source, day = self.known.source, self.known.business_date
        if not self.changed:
            return f"{source} is {self.was} for {day} already: nothing was changed."
        if self.action == "extend":
            until = self.known.readiness.deadline_at if self.known.readiness else None
            return f"{source} has until {self.clock.tell(until, day) if until else 'then'} for {day}."
        return (
            f"{source} {'counts as ready' if self.action == 'mark-ready' else 'is not waited for'} for {day}."
        )


async def say(
    store: Store, action: Literal["mark-ready", "skip"], source: str, date: str, reason: str, by: str
) -> Done:
    """Mark a source as ready for a date, or skip it.

    :raises BadInput: if the source is not known, or an argument cannot be used
    """
    day, names = parse_date(date), split_source(source)
    flows = await store.fetch("flows_on", source, day)
    query = "mark_ready" if action == "mark-ready" else "skip"
    (row,) = await _run(store, source, query, *names, day, reason, by)
    return await _done(store, action, source, day, row["was"], flows)


async def extend(store: Store, source: str, date: str, to: str, reason: str, by: str) -> Done:
    """Give a source another deadline for a date.

    :param to: ``HH:MM`` on that date, or an ISO 8601 instant with an offset
    :raises BadInput: if the source is not known, or an argument cannot be used
    :raises Refused: if that would change nothing, saying why
    """
    day, names = parse_date(date), split_source(source)
    clock = await read_clock(store)
    flows = await store.fetch("flows_on", source, day)
    rows = await store.fetch("sources_of", [source], day)
    await _run(store, source, "extend", *names, day, instant(to, day, clock.zone), reason, by)
    return await _done(store, "extend", source, day, rows[0]["state"] or "not judged", flows)


def instant(text: str, day: dt.date, zone: str) -> dt.datetime:
    """``06:30`` on a date, on the clock of the zone; or an ISO 8601 instant with an offset.

    :raises BadInput: if it is neither
    """
    if re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", text):
        hour, minute = map(int, text.split(":"))
        return _possible(pendulum.datetime(day.year, day.month, day.day, hour, minute, tz=zone))
    try:
        value = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        value = None
    if value is None or value.tzinfo is None:
        raise BadInput(f"{text!r} is no deadline: write HH:MM, or an instant like {day}T07:30:00+01:00")
    return _possible(value)


def _possible(value: dt.datetime) -> dt.datetime:
    try:
        return value.astimezone(dt.timezone.utc)
    except OverflowError:
        raise BadInput(
            f"the deadline {value.isoformat()} is out of range: give one within three days"
        ) from None


async def _run(store: Store, source: str, query: str, *args: object) -> Sequence[Row]:
    try:
        with plainly():
            return await store.fetch(query, *args)
    except UnknownSource as error:
        names = [row["source"] for row in await store.fetch("source_names")]
        if near := difflib.get_close_matches(source, names, cutoff=0.5):
            raise UnknownSource(f"there is no source {source}: did you mean {' or '.join(near)}?") from error
        raise


async def _done(
    store: Store,
    action: Literal["mark-ready", "skip", "extend"],
    source: str,
    day: dt.date,
    was: str,
    before: Iterable[Row],
) -> Done:
    judged = await _judged(store, source, day)
    (row,) = await store.fetch("sources_of", [source], day)
    known = known_of(row)
    # before the window begins, what was said waits for that
    waits = known.readiness is None or (action != "extend" and known.readiness.state is State.WAITING)
    launched_before = {row["dag_id"] for row in before if row["decided_at"]}
    rows = await store.fetch("flows_on", source, day)
    launched = {row["dag_id"] for row in rows if row["decided_at"]} - launched_before
    waiting = {row["dag_id"] for row in rows if not row["decided_at"]}
    flows = Flows(*(tuple(sorted(names)) for names in (launched_before, launched, waiting)))
    return Done(action, known, await read_clock(store), was, flows, judged and not waits)


async def _judged(store: Store, source: str, day: dt.date) -> bool:
    """Wait until a step was taken; whether one was within :data:`PATIENCE`."""
    until = asyncio.get_running_loop().time() + PATIENCE
    while (await store.fetch("unjudged", [source], [day]))[0]["number"]:
        if asyncio.get_running_loop().time() >= until:
            return False
        await asyncio.sleep(0.1)
    return True
