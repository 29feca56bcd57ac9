"""What must launch and when, in plain Python: it shares no code with the product.

A condition is ``"db.table"``, ``{"all": [...]}`` or ``{"any": [...]}``. Instants are seconds of the
epoch. What somebody wrote was committed between two instants, *before* and *after* the call, so a
launch falls due between two instants too: earlier than the first is early, and the second is what
the deadline error is counted from. A source that logs after its deadline counts for ``any`` only if
nobody had judged the deadline by then: that is in the first instant and not in the second. (The windows
of a campaign's dates are over long ago, so what was missed stays so.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Condition = Any
Verdict = Literal["waiting", "ready", "missed"]
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Span:
    """The two instants between which something was committed."""

    before: float
    after: float


@dataclass(slots=True)
class SourceDay:
    """What was done to a source for a business date."""

    opened: Span
    #: deadline after deadline, each with when it was set
    deadlines: list[tuple[Span, float]]
    #: load id → when its first row was committed
    loads: dict[str, Span] = field(default_factory=dict)

    def deadline(self, until: float = NEVER) -> float:
        """The deadline in force, by what was written until an instant."""
        known = [deadline for span, deadline in self.deadlines if span.after <= until]
        return known[-1] if known else NEVER


@dataclass(slots=True)
class Needed:
    """How many loads a source needs. It only ever falls, so that the order of two looks is no matter."""

    first: int
    changes: list[tuple[Span, int]] = field(default_factory=list)


def sources(condition: Condition) -> list[str]:
    """The names in a condition."""
    if isinstance(condition, str):
        return [condition]
    ((_, parts),) = condition.items()
    return sorted({name for part in parts for name in sources(part)})


def verdict(condition: Condition, of_source: Callable[[str], Verdict]) -> Verdict:
    """What a condition is, given what its sources are."""
    if isinstance(condition, str):
        return of_source(condition)
    ((kind, parts),) = condition.items()
    verdicts = [verdict(part, of_source) for part in parts]
    if kind == "any" and "ready" in verdicts:
        return "ready"
    if "waiting" in verdicts:
        return "waiting"
    return "ready" if set(verdicts) == {"ready"} else "missed"


def ready_at(day: SourceDay, needed: Needed, end: Literal["before", "after"]) -> float:
    """When a source has as many loads as it needs, by one end of the spans."""
    loads = sorted(getattr(span, end) for span in day.loads.values())
    steps = [(0.0, needed.first)] + [(getattr(span, end), count) for span, count in needed.changes]
    instants = [
        max(loads[count - 1], since) for since, count in steps if len(loads) >= count
    ]  # the count falls, so the first moment at which one of the steps is met
    return min(instants, default=NEVER)


def due_at(
    condition: Condition,
    days: Mapping[str, SourceDay],
    needed: Mapping[str, Needed],
    end: Literal["before", "after"],
    until: float = NEVER,
) -> float:
    """The first instant at which a condition is satisfied, by what was written until an instant."""
    names = sources(condition)
    if any(days[name].opened.after > until for name in names):
        return NEVER
    ready = {name: ready_at(days[name], needed[name], end) for name in names}
    deadline = {name: days[name].deadline(until) for name in names}
    for name, at in ready.items():
        if at > until or (end == "after" and at > deadline[name]):
            ready[name] = NEVER

    def known(instant: float) -> Callable[[str], Verdict]:
        def look(name: str) -> Verdict:
            if ready[name] <= instant:
                return "ready"
            return "missed" if deadline[name] <= instant else "waiting"

        return look

    instants = sorted({*ready.values(), *deadline.values()} - {NEVER})
    return next((each for each in instants if verdict(condition, known(each)) != "waiting"), NEVER)
