"""What a condition must be, by living through the day: no algebra, and nothing of the product.

A condition is taken as its JSON. The model goes from one instant at which anything can happen to the
next, and looks what holds then by what was there by then.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tests.integration.model import instant

Decision = Literal["waiting", "launched", "skipped"]


@dataclass(frozen=True)
class Fact:
    """A source: when it became ready (none: not so far), and until when it is waited for."""

    ready_at: dt.datetime | None
    deadline_at: dt.datetime


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
            name: Fact(fact.ready_at if fact.ready_at and fact.ready_at <= now else None, fact.deadline_at)
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

    def decide(self, tree: Any, now: dt.datetime) -> tuple[Decision, dt.datetime | None]:
        """What was decided by now, and when; or when it will be if nothing more happens."""
        lived = self.by(now)
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
