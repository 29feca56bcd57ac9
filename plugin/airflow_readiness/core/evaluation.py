"""Whether a condition is satisfied, and when it will be: one pure function of instants.

Of every part two instants are reckoned: from when on it is *ready*, and from when on it is *settled*,
that is, nothing of it is waited for any more. Either may lie ahead; what is known decides. So a
launch is decided as of its own instants, and the same by whoever looks later.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from airflow_readiness.core.dates import wall_clock
from airflow_readiness.core.state import OnDeadline, Readiness, State

if TYPE_CHECKING:
    from airflow_readiness.core.condition import Condition

_MOMENT: Final = dt.timedelta(microseconds=1)
#: Of what is not due: there never was anything to wait for.
_EVER: Final = dt.datetime.min.replace(tzinfo=dt.timezone.utc)


class Verdict(str, Enum):
    """What a condition is, given what is known of its sources."""

    #: something is still to come
    WAITING = "waiting"
    #: satisfied by sources that are ready
    READY = "ready"
    #: satisfied, at least in part, by deadlines that passed
    MISSED = "missed"
    #: not launched for this date: not satisfied by the flow's own deadline, which says ``skip``, or without
    #: a source that says so
    SKIPPED = "skipped"
    #: the same, and a source that was missed says that the flow has failed
    FAILED = "failed"

    @property
    def launches(self) -> bool:
        """Whether the flows start."""
        return self in (Verdict.READY, Verdict.MISSED)


class Status(NamedTuple):
    """A verdict."""

    verdict: Verdict
    #: the instant (UTC) at which it falls if nothing more arrives, or fell; none: unknown
    due_at: dt.datetime | None
    #: what it is from that instant on
    falls: Verdict


@dataclass(frozen=True, slots=True)
class Moment:
    """When, and for which date, a condition is evaluated."""

    now: dt.datetime
    business_date: dt.date
    #: the deployment's, for the wall-clock times of the condition
    timezone: str

    def at(self, clock: dt.time) -> dt.datetime:
        """That time of the business date, as an instant."""
        return wall_clock(self.business_date, clock, self.timezone)


class _Span(NamedTuple):
    """From when on a part is ready, and settled; none: not by what is known. Settled is never later."""

    ready: dt.datetime | None
    settled: dt.datetime | None
    #: false: none of its sources is due; it is left out where others are
    due: bool = True


_VETO: Final = {OnDeadline.SKIP: Verdict.SKIPPED, OnDeadline.FAIL: Verdict.FAILED}


def evaluate(condition: Condition, known: Mapping[str, Readiness], at: Moment) -> Status:
    """The verdict on a condition; ``Condition.evaluate`` says what it means.

    A source is waited for until its state says otherwise; whoever does not want to wait for that
    applies :meth:`Readiness.at`. What was said has happened, also by a clock that is behind.
    """
    now = max([at.now, *map(_said, known.values())])
    reckoning = _Reckoning(known, at, now)
    if condition.on == "skip" and condition.deadline:
        deadline = at.at(condition.deadline)
        in_time = reckoning.span(condition.parts[0]).settled
        if in_time is None or in_time > deadline:
            return Status(Verdict.SKIPPED if now >= deadline else Verdict.WAITING, deadline, Verdict.SKIPPED)
    ready, settled, _ = reckoning.span(condition)
    if ready is not None and ready <= now:
        return Status(Verdict.READY, ready if ready > _EVER else None, Verdict.READY)
    if settled is None:
        return Status(Verdict.WAITING, None, Verdict.MISSED)
    falls = Verdict.READY if ready == settled else reckoning.veto(condition, settled) or Verdict.MISSED
    return Status(falls if settled <= now else Verdict.WAITING, settled, falls)


def _said(known: Readiness) -> dt.datetime:
    if known.state in (State.WAITING, State.NOT_DUE):
        return _EVER
    return known.deadline_at if known.state is State.MISSED else known.ready_at or known.deadline_at


class _Reckoning:
    def __init__(self, known: Mapping[str, Readiness], at: Moment, now: dt.datetime) -> None:
        self._known = known
        self._at = at
        self._now = now

    def span(self, condition: Condition) -> _Span:
        if condition.op == "source":
            return self._source(self._known.get(condition.source))
        spans = [self.span(part) for part in condition.parts]
        if condition.op == "timed":
            return self._timed(condition, spans[0])
        needed = {"all": len(spans), "any": 1}.get(condition.op, condition.n)
        return _of_several(spans, needed, dt.timedelta(seconds=condition.grace))

    def _source(self, known: Readiness | None) -> _Span:
        if known is None:
            return _Span(None, None)
        if known.state is State.NOT_DUE:
            return _Span(_EVER, _EVER, due=False)
        if known.state in (State.READY, State.LATE):
            ready = known.ready_at or known.deadline_at
            return _Span(ready, min(ready, known.deadline_at))
        if known.state is State.MISSED:
            return _Span(None, known.deadline_at)
        # whose deadline has passed and of whom nobody has said so is waited for still
        return _Span(None, max(known.deadline_at, self._now + _MOMENT))

    def _timed(self, condition: Condition, inner: _Span) -> _Span:
        deadline = self._at.at(condition.deadline) if condition.deadline and condition.on == "run" else None
        settled = _first(inner.settled, deadline)
        if not condition.not_before:
            return _Span(inner.ready, settled, inner.due)
        begin = self._at.at(condition.not_before)
        ready, settled = (instant and max(instant, begin) for instant in (inner.ready, settled))
        return _Span(ready, settled, inner.due)

    def veto(self, condition: Condition, then: dt.datetime) -> Verdict | None:
        """What a source that is missed says of a launch without it, at an instant; ``fail`` before ``skip``."""
        if condition.op == "source":
            known = self._known.get(condition.source)
            if known is not None and known.skipped:
                # who skips it wants the launch
                return None
            waited = known is not None and known.state is State.WAITING and known.deadline_at <= then
            missed = known is not None and (known.state is State.MISSED or waited)
            return _VETO.get(known.on_deadline) if known and missed else None
        if condition.op in ("any", "at_least") and (ready := self.span(condition).ready) and ready <= then:
            # it was not needed
            return None
        found = {self.veto(part, then) for part in condition.parts}
        return next((verdict for verdict in (Verdict.FAILED, Verdict.SKIPPED) if verdict in found), None)


def _of_several(spans: list[_Span], needed: int, grace: dt.timedelta) -> _Span:
    """At least so many of the parts, and after the last of these a grace for the others."""
    spans = [span for span in spans if span.due]
    if not spans:
        return _Span(_EVER, _EVER, due=False)
    needed = min(needed, len(spans))
    settled = [span.settled for span in spans]
    end = None if None in settled else max(instant for instant in settled if instant)
    ready = sorted(span.ready for span in spans if span.ready)
    if len(ready) < needed:
        return _Span(None, end)
    enough = ready[needed - 1]
    # nobody is waited for who is settled
    begin = _first(enough + grace, end and max(enough, end))
    return _Span(begin, _first(begin, end))


def _first(*instants: dt.datetime | None) -> dt.datetime | None:
    return min((instant for instant in instants if instant), default=None)
