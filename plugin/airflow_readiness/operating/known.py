"""One source for one business date, as an operator sees it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from airflow_readiness.core.clock import Clock, iso
from airflow_readiness.core.condition import Condition, Moment, Verdict
from airflow_readiness.core.document import Launch, by_hand_to_json
from airflow_readiness.core.judge import judge as judge_at
from airflow_readiness.core.shown import SATISFIED
from airflow_readiness.core.state import Action, Outcome, Readiness, State
from airflow_readiness.core.usual import Usual
from airflow_readiness.store.store import Row, Store, readiness_of


@dataclass(frozen=True, slots=True)
class Known:
    """A row of ``status`` or ``sources_of``."""

    source: str
    business_date: dt.date
    #: none: nobody judges this source for this date
    readiness: Readiness | None
    window_start: dt.datetime | None
    usual: Usual

    def at_risk(self, now: dt.datetime) -> bool:
        """Whether it is waited for, and nine of ten times was there by now, or comes after its deadline."""
        known, slow_at = self.readiness, self.usual.slow_at
        if known is None or known.state is not State.WAITING or known.by_hand or slow_at is None:
            return False
        return now >= slow_at or slow_at > known.deadline_at

    def state(self, now: dt.datetime) -> str:
        """``waiting``, ``at risk``, ``ready``, ``missed``, ``late``, ``skipped`` or ``not judged``."""
        if self.readiness is None:
            return "not judged"
        if self.at_risk(now):
            return "at risk"
        skipped = self.readiness.outcome is Outcome.SKIPPED
        return Outcome.SKIPPED.value if skipped else self.readiness.state.value.replace("_", " ")

    @property
    def satisfied(self) -> bool:
        """Whether it is there, or an operator said that nobody needs it."""
        return self.readiness is not None and self.readiness.outcome in SATISFIED

    def remarks(self) -> list[str]:
        """What else there is to say: by whom by hand, and that it has no settings."""
        if self.readiness is None:
            return []
        remarks = [] if self.readiness.configured else ["not configured"]
        if said := self.readiness.by_hand:
            what = "marked ready" if said.action is Action.MARK_READY else "skipped"
            remarks.insert(0, f"{what} by {said.by}: {said.reason}")
        return remarks

    def to_json(self, now: dt.datetime) -> dict[str, Any]:
        """Everything, for scripts."""
        known = self.readiness
        return {
            "source": self.source,
            "business_date": self.business_date.isoformat(),
            "state": self.state(now),
            "log_count": known.log_count if known else None,
            "needed": known.needed if known else None,
            "ready_at": iso(known.ready_at) if known else None,
            "deadline_at": iso(known.deadline_at) if known else None,
            "window_start": iso(self.window_start),
            "configured": known.configured if known else None,
            "by_hand": by_hand_to_json(known.by_hand) if known and known.by_hand else None,
            "usual": self.usual.to_json(),
        }


def judge(condition: Condition, known: Mapping[str, Readiness], day: dt.date, clock: Clock) -> Launch:
    """How a condition stands for a date, by what is known of its sources."""
    return judge_at(condition, known, Moment(clock.now, day, clock.zone))


def asked_for(condition: Condition, known: Mapping[str, Readiness], day: dt.date, clock: Clock) -> Launch:
    """A launch because somebody asks for it, whatever its times and its sources say."""
    launch = judge(condition, known, day, clock)
    verdict = launch.verdict if launch.starts else Verdict.MISSED
    return replace(launch, decided_at=clock.now, verdict=verdict)


def known_of(row: Row) -> Known:
    """A row of ``status`` or ``sources_of`` as a :class:`Known`."""
    return Known(
        source=row["source"],
        business_date=row["business_date"],
        readiness=readiness_of(row) if row["state"] is not None else None,
        window_start=row["window_start"],
        usual=Usual(row["samples"], row["usual"], row["slow"], row["slow_at"]),
    )


async def read_clock(store: Store) -> Clock:
    """The clock of Postgres and the time zone of the deployment."""
    (deployment,) = await store.fetch("deployment")
    (now,) = await store.fetch("clock")
    return Clock(deployment["timezone"], now["now"])
