"""What is known of one source for one business date."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from enum import Enum


class State(str, Enum):
    """The states of (source, business date)."""

    WAITING = "waiting"
    READY = "ready"
    #: the deadline passed without enough log rows
    MISSED = "missed"
    #: became ready after it was missed
    LATE = "late"
    #: by its calendar the source has nothing for this date
    NOT_DUE = "not_due"


class Outcome(str, Enum):
    """Why a launch did not wait longer for a source."""

    READY = "ready"
    DEADLINE = "deadline"
    #: the condition was satisfied without this source (``a | b``)
    PENDING = "pending"
    #: an operator said not to wait for it on this date
    SKIPPED = "skipped"
    #: there was nothing to wait for
    NOT_DUE = "not_due"


class Action(str, Enum):
    """What an operator can say of a source for a date."""

    #: it counts as ready from then on, though its logs are missing
    MARK_READY = "mark-ready"
    #: it is not waited for: its deadline is then
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class ByHand:
    """What an operator said of a source for a date: who, when (UTC), and why."""

    action: Action
    by: str
    at: dt.datetime
    reason: str


class OnDeadline(str, Enum):
    """What becomes of a launch that would go without a source."""

    RUN = "run"
    SKIP = "skip"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Readiness:
    """One source for one business date. Instants are UTC."""

    source: str
    business_date: dt.date
    state: State
    deadline_at: dt.datetime
    #: log rows found in the window, each ``load_id`` once
    log_count: int
    #: log rows that make it ready
    needed: int
    ready_at: dt.datetime | None = None
    #: false: nobody set this source's settings, the deployment's defaults hold
    configured: bool = True
    #: said by an operator; none if the logs and the settings alone decide
    by_hand: ByHand | None = None
    on_deadline: OnDeadline = OnDeadline.RUN

    @property
    def skipped(self) -> bool:
        """Whether an operator said not to wait for it."""
        return self.by_hand is not None and self.by_hand.action is Action.SKIP

    @property
    def outcome(self) -> Outcome:
        """What a launch says of this source."""
        if self.state in (State.READY, State.LATE):
            return Outcome.READY
        if self.state is State.NOT_DUE:
            return Outcome.NOT_DUE
        if self.state is not State.MISSED:
            return Outcome.PENDING
        return Outcome.SKIPPED if self.skipped else Outcome.DEADLINE

    def at(self, now: dt.datetime) -> Readiness:
        """The same, once its deadline has passed by the clock although nobody has said so yet."""
        if self.state is State.WAITING and now >= self.deadline_at:
            return replace(self, state=State.MISSED)
        return self
