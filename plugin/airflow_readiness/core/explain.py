"""What a condition still waits for, in words: one sentence for every part that is missing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from airflow_readiness.core.condition import Condition, of_source
from airflow_readiness.core.dates import span_text, timezone
from airflow_readiness.core.evaluation import Moment, Verdict
from airflow_readiness.core.state import OnDeadline, Readiness, State


def explain(condition: Condition, known: Mapping[str, Readiness], at: Moment) -> list[str]:
    """One sentence for every missing part: what is there, what is missing, and until when it is waited for.

    The parts of ``a & b`` have a sentence each; alternatives share one. Empty once the flow starts.

    :param known: what is known of the sources; those that are left out are not judged for this date yet
    :return: sentences without a full stop, times in the deployment's time zone
    """
    status = condition.evaluate(known, at)
    if status.verdict.launches:
        return []
    teller = _Teller(known, at)
    if status.verdict is Verdict.WAITING or status.due_at is None:
        return teller.sentences(condition)
    if condition.on == "skip" and condition.deadline and status.due_at == at.at(condition.deadline):
        reasons = "; ".join(teller.sentences(condition.parts[0]))
        return [
            f"skipped: the flow's own deadline passed at {teller.time(status.due_at)}"
            + (f" while it waited for {reasons}" if reasons else "")
        ]
    return [f"{status.verdict.value}: {reason}" for reason in teller.vetoes(condition)]


_WITHOUT = {
    OnDeadline.RUN: "",
    OnDeadline.SKIP: ", then the launch is skipped",
    OnDeadline.FAIL: ", then the flow fails",
}


class _Teller:
    def __init__(self, known: Mapping[str, Readiness], at: Moment) -> None:
        self._known = known
        self._at = at
        self._zone = timezone(at.timezone)

    def time(self, instant: dt.datetime) -> str:
        """A time of the business date as the author wrote it, any other with its date."""
        local = instant.astimezone(self._zone)
        day = "" if local.date() == self._at.business_date else f"{local:%Y-%m-%d} "
        return f"{day}{local:%H:%M} {self._at.timezone}"

    def verdict(self, condition: Condition) -> Verdict:
        return condition.evaluate(self._known, self._at).verdict

    def vetoes(self, condition: Condition) -> list[str]:
        """The sources without which it is not launched."""
        missed = [self._known[name] for name in condition.sources if name in self._known]
        return [
            f"{self.phrase(of_source(each.source))}, and says on_deadline = {each.on_deadline.value}"
            for each in missed
            if each.state is State.MISSED and each.on_deadline is not OnDeadline.RUN and not each.skipped
        ]

    def sentences(self, condition: Condition) -> list[str]:
        if self.verdict(condition).launches:
            return []
        if condition.op == "all":
            return [sentence for part in condition.parts for sentence in self.sentences(part)]
        if condition.op == "timed":
            return self._timed(condition)
        return [self.phrase(condition)]

    def _timed(self, condition: Condition) -> list[str]:
        (part,) = condition.parts
        found = self.sentences(part)
        if condition.not_before and self._at.now < (begin := self._at.at(condition.not_before)):
            found.append(f"its own time: not before {self.time(begin)}")
        if condition.deadline and self._at.now < (end := self._at.at(condition.deadline)):
            what = "it is skipped" if condition.on == "skip" else "it is not waited for any longer"
            if not self.verdict(part).launches:
                found.append(f"its own deadline: at {self.time(end)} {what}")
        return found

    def phrase(self, condition: Condition) -> str:
        """One part, and how far it is."""
        if condition.op == "source":
            return f"{condition.source} ({self._source(self._known.get(condition.source))})"
        if condition.op == "at_least":
            return self._at_least(condition)
        if condition.op == "timed":
            return f"{condition.text} ({'; '.join(self._timed(condition)) or 'there'})"
        joiner = "one of " if condition.op == "any" else "all of "
        return joiner + ", ".join(self.phrase(part) for part in condition.parts)

    def _at_least(self, condition: Condition) -> str:
        ready = [part for part in condition.parts if self.verdict(part) is Verdict.READY]
        others = ", ".join(self.phrase(part) for part in condition.parts if part not in ready)
        if len(ready) < condition.n:
            there = ", ".join(part.text for part in ready) or "none"
            return f"{condition.n} of {len(condition.parts)}: there is {there}, and not yet {others}"
        due_at = condition.evaluate(self._known, self._at).due_at
        until = f" until {self.time(due_at)}" if due_at else ""
        return (
            f"{len(ready)} of {len(condition.parts)} are there, and for a grace of {span_text(condition.grace)}"
            f"{until} it waits for {others}"
        )

    def _source(self, known: Readiness | None) -> str:
        if known is None:
            return "not judged for this date yet: its logs are read from the beginning of its window on"
        if known.state in (State.READY, State.LATE):
            return "ready" if known.state is State.READY else "ready, late"
        if known.state is State.NOT_DUE:
            return "not due on this date"
        if known.skipped:
            return "skipped by hand"
        counted = f"{known.log_count} of {known.needed} logs"
        defaults = "" if known.configured else ", not configured"
        if known.state is State.MISSED:
            return f"{counted}, missed at {self.time(known.deadline_at)}{defaults}"
        without = _WITHOUT[known.on_deadline]
        return f"{counted}, deadline {self.time(known.deadline_at)}{without}{defaults}"
