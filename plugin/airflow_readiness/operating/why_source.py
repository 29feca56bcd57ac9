"""One sentence on each source of a flow, and what it would take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from airflow_readiness.core.clock import Clock
from airflow_readiness.core.state import OnDeadline, Readiness
from airflow_readiness.operating.known import Known

_WITHOUT: Final = {
    OnDeadline.RUN: "",
    OnDeadline.SKIP: " (then the launch is skipped)",
    OnDeadline.FAIL: " (then the flow fails)",
}
_MISSED: Final = {
    OnDeadline.RUN: "nobody waits for it any more",
    OnDeadline.SKIP: "the flows that need it are skipped",
    OnDeadline.FAIL: "the flows that need it fail",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to say of one source for one date."""

    known: Known
    #: as :meth:`Known.state` says it
    state: str
    #: what is so
    says: str
    #: what it would take; empty if nobody waits for it
    takes: str

    def to_json(self) -> dict[str, Any]:
        """What the status says of the source, and the two sentences; ``state`` is the status's."""
        return {"state": self.state, "says": self.says, "takes": self.takes}

    @property
    def sentence(self) -> str:
        """The whole."""
        return f"{self.known.source} {self.says}" + (f". It takes {self.takes}." if self.takes else ".")


def tell(known: Known, clock: Clock) -> Told:
    """What there is to say of a source."""
    state = known.state(clock.now)
    if known.readiness is None:
        return Told(known, state, *_not_judged(known, clock))
    says, takes = _SAYS[state](known, known.readiness, clock)
    remarks = f" ({'; '.join(more)})" if (more := known.remarks()) else ""
    return Told(known, state, says + remarks, takes)


def _not_judged(known: Known, clock: Clock) -> tuple[str, str]:
    if known.business_date > clock.today:
        return "is not judged yet: its day has not begun", "that its logs begin to count"
    return "is not judged for this date", "the next step of the processor, or a backfill of a date in the past"


def _waiting(known: Known, readiness: Readiness, clock: Clock) -> tuple[str, str]:
    day = known.business_date
    deadline = clock.tell(readiness.deadline_at, day)
    if clock.now >= readiness.deadline_at:
        return f"waits although its deadline {deadline} has passed", "a step of the processor"
    missing = readiness.needed - readiness.log_count
    takes = (
        f"{missing} more log row{'s' if missing > 1 else ''} ('airflow readiness report {known.source} "
        f"--date {day}'), its deadline {deadline}{_WITHOUT[readiness.on_deadline]}, or 'airflow readiness skip'"
    )
    has = f"has {readiness.log_count} of {readiness.needed} logs"
    if known.window_start and known.window_start > clock.now:
        return f"{has}: they count from {clock.tell(known.window_start, day)} on", takes
    return f"{has}; it is usually there by {known.usual.tell()}, its deadline is {deadline}", takes


def _at_risk(known: Known, readiness: Readiness, clock: Clock) -> tuple[str, str]:
    says, takes = _waiting(known, readiness, clock)
    slow_at = known.usual.slow_at
    if slow_at and slow_at > readiness.deadline_at:
        return f"is at risk: it often comes after its deadline. It {says}", takes
    return f"is at risk: by now it was there nine times of ten. It {says}", takes


def _ready(known: Known, readiness: Readiness, clock: Clock) -> tuple[str, str]:
    at = f" since {clock.tell(readiness.ready_at, known.business_date)}" if readiness.ready_at else ""
    return f"is ready{at}, with {readiness.log_count} of {readiness.needed} logs", ""


def _late(known: Known, readiness: Readiness, clock: Clock) -> tuple[str, str]:
    at = clock.tell(readiness.ready_at, known.business_date) if readiness.ready_at else "late"
    deadline = clock.tell(readiness.deadline_at, known.business_date)
    return f"came late, at {at}: its deadline was {deadline}", ""


def _missed(known: Known, readiness: Readiness, clock: Clock) -> tuple[str, str]:
    deadline = clock.tell(readiness.deadline_at, known.business_date)
    had = f"{readiness.log_count} of {readiness.needed} logs"
    return f"missed its deadline {deadline} with {had}: {_MISSED[readiness.on_deadline]}", ""


def _skipped(known: Known, readiness: Readiness, clock: Clock) -> tuple[str, str]:
    return f"is not waited for since {clock.tell(readiness.deadline_at, known.business_date)}", ""


def _not_due(known: Known, readiness: Readiness, clock: Clock) -> tuple[str, str]:
    return "is not due on this date: nobody waits for it", ""


# a state that the status knows has its sentence here
_SAYS: Final[dict[str, Callable[[Known, Readiness, Clock], tuple[str, str]]]] = {
    "waiting": _waiting,
    "at risk": _at_risk,
    "ready": _ready,
    "late": _late,
    "missed": _missed,
    "skipped": _skipped,
    "not due": _not_due,
}
