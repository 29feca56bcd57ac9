"""What a flow waits for: one source, or several joined by ``&`` and ``|``.

A condition is kept in one canonical form (flat, sorted, without repetition), so that two flows
that wait for the same thing share one launch, however they wrote it.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal, NamedTuple

from airflow_readiness.core.names import split_source
from airflow_readiness.core.state import Readiness, State
from airflow_readiness.errors import BadCondition

#: Airflow stores an asset's name in 1500 characters.
MAX_TEXT: Final = 1500


class Verdict(Enum):
    """What a condition is, given what is known of its sources."""

    #: something is still to come
    WAITING = "waiting"
    #: satisfied by sources that are ready
    READY = "ready"
    #: satisfied, at least in part, by deadlines that passed
    MISSED = "missed"


class Status(NamedTuple):
    """A verdict, and the instant at which it falls if nothing more arrives (none: unknown)."""

    verdict: Verdict
    due_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Condition:
    """A node: a source (``op`` is ``"source"``), all of its parts, or any of them."""

    op: Literal["source", "all", "any"]
    source: str = ""
    parts: tuple[Condition, ...] = ()

    @property
    def text(self) -> str:
        """The canonical text: ``hive.sales & (hive.rates | hive.rates_old)``."""
        if self.op == "source":
            return self.source
        joiner = " & " if self.op == "all" else " | "
        return joiner.join(f"({part.text})" if part.op == "any" else part.text for part in self.parts)

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of all sources in it, sorted, each once."""
        if self.op == "source":
            return (self.source,)
        return tuple(sorted(set(itertools.chain.from_iterable(part.sources for part in self.parts))))

    def to_json(self) -> Any:
        """``"a.b"``, ``{"all": […]}`` or ``{"any": […]}``."""
        return self.source if self.op == "source" else {self.op: [part.to_json() for part in self.parts]}

    def evaluate(self, known: Mapping[str, Readiness]) -> Status:
        """The verdict. A source of which nothing is known is waiting, its deadline unknown.

        ``a & b`` is satisfied when each is ready or missed; ``a | b`` when one is ready, or when
        all are missed. A source that came late counts as ready: its data is there.
        """
        if self.op == "source":
            return _of_source(known.get(self.source))
        statuses = [part.evaluate(known) for part in self.parts]
        verdicts = {status.verdict for status in statuses}
        if self.op == "any" and Verdict.READY in verdicts:
            return min((s for s in statuses if s.verdict is Verdict.READY), key=_due)
        instants = [status.due_at for status in statuses]
        due_at = None if None in instants else max(instant for instant in instants if instant)
        if Verdict.WAITING in verdicts:
            return Status(Verdict.WAITING, due_at)
        return Status(Verdict.READY if verdicts == {Verdict.READY} else Verdict.MISSED, due_at)


def _due(status: Status) -> dt.datetime:
    return status.due_at or dt.datetime.max.replace(tzinfo=dt.timezone.utc)


def _of_source(known: Readiness | None) -> Status:
    if known is None:
        return Status(Verdict.WAITING, None)
    if known.state in (State.READY, State.LATE):
        return Status(Verdict.READY, known.ready_at or known.deadline_at)
    verdict = Verdict.MISSED if known.state is State.MISSED else Verdict.WAITING
    return Status(verdict, known.deadline_at)


def of_source(name: str) -> Condition:
    """The condition of one source.

    :raises BadName: if the name is not ``database.table``
    """
    split_source(name)
    return Condition("source", source=name)


def combine(op: Literal["all", "any"], parts: list[Condition]) -> Condition:
    """Join conditions, in canonical form.

    :raises BadCondition: if there is nothing to join, or the text is too long for Airflow
    """
    flat: set[Condition] = set()
    for part in parts:
        flat.update(part.parts if part.op == op else (part,))
    if not flat:
        raise BadCondition("a condition needs at least one source")
    if len(flat) == 1:
        return flat.pop()
    joined = Condition(op, parts=tuple(sorted(flat, key=lambda part: (part.op != "source", part.text))))
    if len(joined.text) > MAX_TEXT:
        raise BadCondition(
            f"a condition of {len(joined.sources)} sources is {len(joined.text)} characters long and "
            f"Airflow keeps {MAX_TEXT}: split the flow, or wait for fewer sources"
        )
    return joined


def from_json(value: object) -> Condition:
    """The condition that :meth:`Condition.to_json` wrote.

    :raises BadCondition: if it is none
    :raises BadName: if a source's name is not ``database.table``
    """
    if isinstance(value, str):
        return of_source(value)
    if isinstance(value, dict) and len(value) == 1:
        ((op, parts),) = value.items()
        if op in ("all", "any") and isinstance(parts, list):
            return combine(op, [from_json(part) for part in parts])
    raise BadCondition(f"{value!r} is not a condition: expected a name, {{'all': […]}} or {{'any': […]}}")
