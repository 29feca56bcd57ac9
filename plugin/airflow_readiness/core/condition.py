"""What a flow waits for: one source, or several joined by ``&`` and ``|``, and times of its own.

A condition is kept in one canonical form (flat, sorted, without repetition), so that two flows
that wait for the same thing share one launch, however they wrote it.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from airflow_readiness.core.dates import parse_clock, span_text
from airflow_readiness.core.evaluation import Moment as Moment
from airflow_readiness.core.evaluation import Status as Status
from airflow_readiness.core.evaluation import Verdict as Verdict
from airflow_readiness.core.evaluation import evaluate
from airflow_readiness.core.names import split_source
from airflow_readiness.core.state import Readiness
from airflow_readiness.errors import BadCondition

#: Airflow stores an asset's name in 1500 characters.
MAX_TEXT: Final = 1500

#: What a flow does at its own deadline: start with what is there, or not at all for this date.
AtDeadline: TypeAlias = Literal["run", "skip"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A node: a source, all, any, or at least so many of its parts; or one part with times of its own."""

    op: Literal["source", "all", "any", "at_least", "timed"]
    source: str = ""
    parts: tuple[Condition, ...] = ()
    #: ``at_least``: how many parts, and the seconds for which the others are waited for then
    n: int = 0
    grace: int = 0
    #: ``timed``: wall-clock times of the business date
    not_before: dt.time | None = None
    deadline: dt.time | None = None
    on: AtDeadline = "run"

    @property
    def text(self) -> str:
        """The canonical text: ``hive.sales & (hive.rates | hive.rates_old)``."""
        if self.op == "source":
            return self.source
        if self.op == "timed":
            return self._timed_text()
        if self.op == "at_least":
            options = [f"grace={span_text(self.grace)}"] if self.grace else []
            return f"at_least({', '.join([str(self.n), *(part.text for part in self.parts), *options])})"
        joiner = " & " if self.op == "all" else " | "
        return joiner.join(f"({part.text})" if part.op == "any" else part.text for part in self.parts)

    def _timed_text(self) -> str:
        (part,) = self.parts
        text = f"({part.text})" if part.op in ("all", "any") else part.text
        if self.not_before:
            text += f".not_before({self.not_before:%H:%M})"
        if self.deadline:
            text += f".deadline({self.deadline:%H:%M}{', on=skip' if self.on == 'skip' else ''})"
        return text

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of all sources in it, sorted, each once."""
        if self.op == "source":
            return (self.source,)
        return tuple(sorted(set(itertools.chain.from_iterable(part.sources for part in self.parts))))

    @property
    def own_times(self) -> bool:
        """Whether its verdict may fall at another instant than those of its sources."""
        return self.op == "timed" or self.grace > 0 or any(part.own_times for part in self.parts)

    def missing(self, there: Collection[str]) -> set[str]:
        """The sources that it still waits for: none of a part that is satisfied by those that are there."""
        if self.op == "source":
            return set() if self.source in there else {self.source}
        found = [part.missing(there) for part in self.parts]
        enough = {"any": 1, "at_least": self.n}.get(self.op, len(found))
        # within its grace, the others are waited for
        if not self.grace and sum(not names for names in found) >= enough:
            return set()
        return set().union(*found)

    def without_times(self) -> Condition:
        """The same, satisfied by its sources alone."""
        if self.op == "timed":
            return self.parts[0].without_times()
        return replace(self, parts=tuple(part.without_times() for part in self.parts))

    def to_json(self) -> Any:
        """``"a.b"``, ``{"all": […]}``, ``{"any": […]}``, ``{"at_least": {…}}`` or ``{"timed": {…}}``."""
        if self.op == "source":
            return self.source
        parts = [part.to_json() for part in self.parts]
        if self.op == "at_least":
            return {"at_least": {"n": self.n, "of": parts} | ({"grace": self.grace} if self.grace else {})}
        if self.op == "timed":
            clocks = {"not_before": self.not_before, "deadline": self.deadline}
            written = {name: f"{clock:%H:%M}" for name, clock in clocks.items() if clock}
            return {"timed": {"of": parts[0]} | written | ({"on": "skip"} if self.on == "skip" else {})}
        return {self.op: parts}

    def evaluate(self, known: Mapping[str, Readiness], at: Moment) -> Status:
        """The verdict. A source of which nothing is known is waiting, its deadline unknown.

        ``a & b`` is satisfied when each is ready or missed; ``a | b`` when one is ready, or when all
        are missed; ``at_least`` when so many are ready and the grace is over or the others are ready or
        missed, or when all are. ``not_before`` holds back what is satisfied; at its own ``deadline`` it
        is satisfied anyway, or else (``skip``) decided against. A source that came late counts as
        ready: its data is there. One that is not due is left out, and alone it is satisfied at once.
        What would go without a source that says ``skip`` or ``fail`` is not launched.
        """
        return evaluate(self, known, at)


def of_source(name: str) -> Condition:
    """The condition of one source.

    :raises BadName: if the name is not ``database.table``
    """
    split_source(name)
    return Condition("source", source=name)


def combine(op: Literal["all", "any"], parts: Iterable[Condition]) -> Condition:
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
    return _checked(Condition(op, parts=_sorted(flat)))


def at_least(n: int, parts: Iterable[Condition], grace: int = 0) -> Condition:
    """At least ``n`` of these, in canonical form.

    :param grace: seconds for which the others are waited for once ``n`` are ready
    :raises BadCondition: if there are fewer than ``n`` different ones, or the text is too long for Airflow
    """
    different = _sorted(set(parts))
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= len(different):
        raise BadCondition(
            f"at_least({n!r}, …) of {len(different)} different sources: give a whole number from 1 to as "
            "many as there are"
        )
    if n == len(different):
        return combine("all", different)
    if n == 1 and not grace:
        return combine("any", different)
    return _checked(Condition("at_least", parts=different, n=n, grace=grace))


def timed(
    part: Condition,
    *,
    not_before: dt.time | None = None,
    deadline: dt.time | None = None,
    on: AtDeadline = "run",
) -> Condition:
    """A condition with times of its own, in canonical form. They are times of the business date itself.

    :raises BadCondition: if it has one of them already, if the deadline is the earlier one, or if the
        text is too long for Airflow
    """
    if on not in ("run", "skip"):
        raise BadCondition(f"on={on!r} at a deadline: write on='run' or on='skip'")
    if not_before is None and deadline is None:
        return part
    whole = part if part.op == "timed" else Condition("timed", parts=(part,))
    given = {"not_before": not_before, "deadline": deadline}
    for name, clock in given.items():
        if clock is not None and getattr(whole, name) is not None:
            raise BadCondition(f"{part.text} has a {name} already: give it one")
    whole = replace(
        whole,
        not_before=not_before if not_before is not None else whole.not_before,
        deadline=deadline if deadline is not None else whole.deadline,
        on=on if deadline is not None else whole.on,
    )
    if whole.not_before is not None and whole.deadline is not None and whole.deadline < whole.not_before:
        raise BadCondition(
            f"the deadline {whole.deadline:%H:%M} is before not_before {whole.not_before:%H:%M}: both are "
            "times of the business date itself, so nothing would be waited for"
        )
    return _checked(whole)


def _sorted(parts: Iterable[Condition]) -> tuple[Condition, ...]:
    return tuple(sorted(parts, key=lambda part: (part.op != "source", part.text)))


def _checked(condition: Condition) -> Condition:
    if inner := next((part for part in condition.parts if part.on == "skip"), None):
        raise BadCondition(
            f"{inner.text} is a part of a condition: on='skip' decides for the whole flow, so write "
            ".deadline(…, on='skip') behind the whole condition"
        )
    if len(condition.text) > MAX_TEXT:
        raise BadCondition(
            f"a condition of {len(condition.sources)} sources is {len(condition.text)} characters long and "
            f"Airflow keeps {MAX_TEXT}: split the flow, or wait for fewer sources"
        )
    return condition


def from_json(value: object) -> Condition:
    """The condition that :meth:`Condition.to_json` wrote.

    :raises BadCondition: if it is none
    :raises BadName: if a source's name is not ``database.table``
    """
    if isinstance(value, str):
        return of_source(value)
    if isinstance(value, dict) and len(value) == 1:
        ((op, inner),) = value.items()
        if op in ("all", "any") and isinstance(inner, list):
            return combine(op, [from_json(part) for part in inner])
        if isinstance(inner, dict) and "of" in inner:
            if op == "at_least" and inner.keys() <= {"n", "of", "grace"} and isinstance(inner["of"], list):
                return _at_least_from_json(inner)
            if op == "timed" and inner.keys() <= {"of", "not_before", "deadline", "on"}:
                clocks = {
                    name: parse_clock(inner[name]) for name in ("not_before", "deadline") if name in inner
                }
                return timed(from_json(inner["of"]), **clocks, on=inner.get("on", "run"))
    raise BadCondition(
        f"{value!r} is not a condition: expected a name, {{'all': […]}}, {{'any': […]}}, "
        "{'at_least': {'n', 'of', 'grace'}} or {'timed': {'of', 'not_before', 'deadline', 'on'}}"
    )


def _at_least_from_json(value: dict[str, Any]) -> Condition:
    grace = value.get("grace", 0)
    if isinstance(grace, bool) or not isinstance(grace, int) or not 0 <= grace <= 24 * 3600:
        raise BadCondition(f"{grace!r} is not a grace: expected seconds, up to 24 hours")
    return at_least(value.get("n", 0), [from_json(part) for part in value["of"]], grace)
