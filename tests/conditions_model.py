"""What a condition must be, by living through the day: no algebra, and nothing of the product.

A condition is taken as its JSON. The model goes from one instant at which anything can happen to the
next, and looks what holds then by what was there by then.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from tests.integration.model import instant

Decision = Literal["waiting", "launched", "skipped", "failed"]


@dataclass(frozen=True)
class Fact:
    """A source: when it became ready (none: not so far), and until when it is waited for."""

    ready_at: dt.datetime | None
    deadline_at: dt.datetime
    #: false: there is nothing to wait for
    due: bool = True
    on_deadline: str = "run"


@dataclass(frozen=True)
class Day:
    """A business date, what is known of its sources, and the clock on the wall."""

    facts: Mapping[str, Fact]
    date: dt.date
    zone: zoneinfo.ZoneInfo

    def at(self, clock: str) -> dt.datetime:
        return instant(self.date, dt.time.fromisoformat(clock), self.zone)

    def by(self, now: dt.datetime) -> Day:
        """The same, without what happens later."""
        known = {
            name: fact if fact.ready_at and fact.ready_at <= now else replace(fact, ready_at=None)
            for name, fact in self.facts.items()
        }
        return Day(known, self.date, self.zone)

    def instants(self, tree: Any) -> list[dt.datetime]:
        """All at which anything may happen, in order."""
        clocks, graces = _times(tree)
        found = {self.at(clock) for clock in clocks}
        for fact in self.facts.values():
            found |= {fact.deadline_at} | ({fact.ready_at} if fact.ready_at else set())
        for _ in graces:
            # one grace may begin at the end of another
            found |= {each + dt.timedelta(seconds=grace) for each in found for grace in graces}
        return sorted(found)

    def is_ready(self, tree: Any, t: dt.datetime) -> bool:
        if isinstance(tree, str):
            fact = self.facts.get(tree)
            return fact is not None and fact.ready_at is not None and fact.ready_at <= t
        ((op, inner),) = tree.items()
        if op == "timed":
            return self._begun(inner, t) and self.is_ready(inner["of"], t)
        if op != "at_least":
            return (all if op == "all" else any)(self.is_ready(part, t) for part in inner)
        enough = [each for each in self.instants(tree) if each <= t and self._number(inner, each) >= inner["n"]]
        if not enough:
            return False
        over = enough[0] + dt.timedelta(seconds=inner.get("grace", 0)) <= t
        return over or all(self.is_settled(part, t) for part in inner["of"])

    def _number(self, at_least: Any, t: dt.datetime) -> int:
        return sum(self.is_ready(part, t) for part in at_least["of"])

    def _begun(self, timed: Any, t: dt.datetime) -> bool:
        return "not_before" not in timed or t >= self.at(timed["not_before"])

    def is_settled(self, tree: Any, t: dt.datetime) -> bool:
        """Whether nothing of it is waited for."""
        if isinstance(tree, str):
            fact = self.facts.get(tree)
            return self.is_ready(tree, t) or (fact is not None and fact.deadline_at <= t)
        ((op, inner),) = tree.items()
        if op == "timed":
            ended = "deadline" in inner and inner.get("on") != "skip" and t >= self.at(inner["deadline"])
            return self._begun(inner, t) and (ended or self.is_settled(inner["of"], t))
        parts = inner["of"] if op == "at_least" else inner
        return self.is_ready(tree, t) or all(self.is_settled(part, t) for part in parts)

    def pruned(self, tree: Any) -> Any:
        """Without the sources that are not due; none if no source is."""
        if isinstance(tree, str):
            fact = self.facts.get(tree)
            return None if fact and not fact.due and not fact.ready_at else tree
        ((op, inner),) = tree.items()
        if op == "timed":
            part = self.pruned(inner["of"])
            return part and {op: {**inner, "of": part}}
        parts = [part for each in (inner["of"] if op == "at_least" else inner) if (part := self.pruned(each))]
        if op == "at_least" and parts:
            return {op: {**inner, "of": parts, "n": min(inner["n"], len(parts))}}
        return {op: parts} if parts else None

    def decide(self, whole: Any, now: dt.datetime) -> tuple[Decision, dt.datetime | None]:
        """What was decided by now, and when; or when it will be if nothing more happens."""
        lived = self.by(now)
        tree = lived.pruned(whole)
        if tree is None:
            begin = self._begin(whole)
            return "launched" if begin is None or begin <= now else "waiting", begin
        decision, when = lived._decide(tree, now)
        if decision == "launched" and not lived.is_ready(tree, now):
            return lived.veto(tree, now) or decision, when
        return decision, when

    def _begin(self, tree: Any) -> dt.datetime | None:
        """Of a condition of which nothing is due: when all of its parts may begin."""
        if isinstance(tree, str):
            return None
        ((op, inner),) = tree.items()
        parts = [inner["of"]] if op == "timed" else []
        clocks = [self.at(inner["not_before"])] if op == "timed" and "not_before" in inner else []
        return max([*clocks, *filter(None, map(self._begin, parts))], default=None)

    def veto(self, tree: Any, now: dt.datetime) -> Decision | None:
        """What a source that is missed says of a launch that goes without it."""
        if isinstance(tree, str):
            fact = self.facts.get(tree)
            missed = fact is not None and not fact.ready_at and fact.deadline_at <= now
            verdicts: dict[str, Decision] = {"skip": "skipped", "fail": "failed"}
            return verdicts.get(fact.on_deadline) if fact and missed else None
        ((op, inner),) = tree.items()
        if op in ("any", "at_least") and self.is_ready(tree, now):
            return None
        parts = [inner["of"]] if op == "timed" else inner["of"] if op == "at_least" else inner
        found = [self.veto(part, now) for part in parts]
        return "failed" if "failed" in found else "skipped" if "skipped" in found else None

    def _decide(self, tree: Any, now: dt.datetime) -> tuple[Decision, dt.datetime | None]:
        lived = self
        skip_at, inner = None, tree
        if isinstance(tree, dict) and "timed" in tree and tree["timed"].get("on") == "skip":
            skip_at, inner = self.at(tree["timed"]["deadline"]), tree["timed"]["of"]
        for t in lived.instants(tree):
            if skip_at and t >= skip_at and not lived.is_settled(inner, skip_at):
                return ("skipped" if skip_at <= now else "waiting"), skip_at
            if lived.is_settled(tree, t):
                return ("launched" if t <= now else "waiting"), t
        return "waiting", None


def _times(tree: Any) -> tuple[set[str], list[int]]:
    if isinstance(tree, str):
        return set(), []
    ((op, inner),) = tree.items()
    clocks = {inner[name] for name in ("not_before", "deadline") if name in inner} if op == "timed" else set()
    graces = [inner["grace"]] if op == "at_least" and "grace" in inner else []
    parts = [inner["of"]] if op == "timed" else inner["of"] if op == "at_least" else inner
    for part in parts:
        more_clocks, more_graces = _times(part)
        clocks, graces = clocks | more_clocks, graces + more_graces
    return clocks, graces
