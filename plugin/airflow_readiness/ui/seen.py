"""What our Postgres said, as the rest of the package knows it; and as the board's JSON says it."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from airflow_readiness.core.clock import Clock
from airflow_readiness.core.state import Readiness, State
from airflow_readiness.core.usual import Usual
from airflow_readiness.diagnosis import SILENT
from airflow_readiness.operating.known import Known, known_of
from airflow_readiness.store.store import Row
from airflow_readiness.ui.pool import Answer, Stale

_INSTANTS: Final = ("ready_at", "deadline_at", "window_start", "window_end", "last_log_at", "known_at")
#: Seconds after a deadline at which somebody must have judged it.
_JUDGED: Final = 60.0


def instant(value: str | None) -> dt.datetime | None:
    """An instant as JSON of Postgres has it."""
    return dt.datetime.fromisoformat(value) if value else None


def said(value: dt.datetime | None) -> str | None:
    """An instant as the board's JSON has it: ``2026-11-22T05:40:00Z``."""
    return value.astimezone(dt.timezone.utc).isoformat(timespec="seconds")[:19] + "Z" if value else None


@dataclass(frozen=True, slots=True)
class Now:
    """The clock of the deployment, and whether anybody is at work."""

    clock: Clock
    #: part → when it was last at work
    beats: Mapping[str, dt.datetime]
    details: Mapping[str, Mapping[str, Any]]
    stale: Stale | None
    #: whether the processor, or the registrar that stands in for it, has been at work lately
    watched: bool
    #: the date on that clock
    today: dt.date

    def stale_json(self) -> dict[str, Any] | None:
        """As the board's JSON says it."""
        return {"since": said(self.stale.since), "message": self.stale.message} if self.stale else None


def now_of(answer: Answer, zone: str) -> Now:
    """The time by an answer; ``zone`` if there is none.

    The clock is that of Postgres, and goes on when it cannot be read any more.
    """
    if answer.row is None:
        clock = Clock(zone, dt.datetime.now(dt.timezone.utc))
        return Now(clock, {}, {}, answer.stale, watched=False, today=clock.today)
    row = answer.row
    clock = Clock(row["timezone"], row["now"] + dt.timedelta(seconds=time.monotonic() - answer.read_at))
    beats = {part: dt.datetime.fromisoformat(beat["beat_at"]) for part, beat in row["beats"].items()}
    watched = any(
        part in beats and (clock.now - beats[part]).total_seconds() <= SILENT[part]
        for part in ("processor", "registrar")
    )
    details = {part: beat["detail"] for part, beat in row["beats"].items()}
    return Now(clock, beats, details, answer.stale, watched, clock.today)


@dataclass(frozen=True, slots=True)
class Source:
    """One source for one date."""

    known: Known
    #: what else the row said; instants of ``_INSTANTS`` are instants
    row: Mapping[str, Any]
    #: one of the board's states
    state: str

    @property
    def readiness(self) -> Readiness | None:
        """What is known of it."""
        return self.known.readiness

    @property
    def usual_at(self) -> dt.datetime | None:
        """When it usually is there, on this date."""
        return instant(self.row.get("usual_at"))

    def to_json(self, *, can_act: bool) -> dict[str, Any]:
        """The board's ``<source>``."""
        known = self.readiness
        return {
            "name": self.known.source,
            "business_date": self.known.business_date.isoformat(),
            "state": self.state,
            "log_count": known.log_count if known else 0,
            "needed": known.needed if known else None,
            "ready_at": said(known.ready_at) if known else None,
            "deadline_at": said(known.deadline_at) if known else None,
            "window_start": said(self.row["window_start"]),
            "window_end": said(self.row.get("window_end")),
            "last_log_at": said(self.row.get("last_log_at")),
            "configured": known.configured if known else bool(self.row.get("configured")),
            "usual": {
                "samples": self.known.usual.samples,
                "p50": said(self.usual_at),
                "p90": said(self.known.usual.slow_at),
            },
            "can_act": can_act,
        }


def source_of(row: Row, day: dt.date, now: Now) -> Source:
    """An entry of ``sources`` of ``board.sql``."""
    typed = {**row, "business_date": day, "slow_at": instant(row.get("slow_at"))}
    for name in _INSTANTS:
        typed[name] = instant(row.get(name))
    for name in ("usual", "slow"):
        typed[name] = _duration(row.get(name))
    typed.setdefault("samples", 0)
    known = known_of(typed)
    return Source(known, typed, _state(known, now))


def sources_of(rows: Iterable[Row], day: dt.date, now: Now) -> dict[str, Source]:
    """Those of a date, by name."""
    return {row["source"]: source_of(row, day, now) for row in rows}


def unseen(name: str, day: dt.date, now: Now) -> Source:
    """A source of which nothing is known."""
    row = {"source": name, "business_date": day, "window_start": None}
    known = Known(name, day, None, None, Usual(0, None, None, None))
    return Source(known, row, _state(known, now))


def _state(known: Known, now: Now) -> str:
    readiness = known.readiness
    if readiness is None:
        return "waiting" if known.business_date > now.today and now.watched else "unknown"
    if readiness.state is not State.WAITING:
        return known.state(now.clock.now).replace(" ", "_")
    if not now.watched or (now.clock.now - readiness.deadline_at).total_seconds() > _JUDGED:
        return "unknown"
    if known.at_risk(now.clock.now):
        return "at_risk"
    return "waiting" if readiness.configured else "not_configured"


def _duration(seconds: float | None) -> dt.timedelta | None:
    return None if seconds is None else dt.timedelta(seconds=seconds)
