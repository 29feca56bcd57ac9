"""How a flow stands for a date: its state, one sentence, and how much slack there is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from airflow_readiness.core.condition import Condition
from airflow_readiness.core.document import Launch
from airflow_readiness.core.state import Readiness, State
from airflow_readiness.core.usual import clock_of
from airflow_readiness.diagnosis import span
from airflow_readiness.operating.known import judge
from airflow_readiness.store.store import Row
from airflow_readiness.ui.seen import Now, Source

#: The worst of what a flow waits for is how it stands.
_WORST: Final = ("unknown", "at_risk", "not_configured", "waiting")
#: Nobody waits for these.
_THERE: Final = (State.READY, State.LATE, State.NOT_DUE)
#: Sources that a sentence names.
_NAMED: Final = 2


@dataclass(frozen=True, slots=True)
class Launched:
    """A launch that was made, or decided against."""

    decided_at: dt.datetime
    #: source → outcome
    outcomes: Mapping[str, str]
    #: as what it was decided: ``ready`` needs no deadline; none: an earlier release did not say
    verdict: str | None = None
    #: ``skipped`` or ``failed``, unless somebody has started it all the same
    against: str | None = None

    @property
    def without(self) -> list[str]:
        """The sources past whose deadline it was made."""
        return [name for name, outcome in self.outcomes.items() if outcome == "deadline"]


def against(row: Row) -> str | None:
    """Whether a launch was decided against, by a row that has ``decision`` and ``published_at``."""
    started = row["decision"] == "launched" or row["published_at"]
    return None if started else str(row["decision"])


@dataclass(frozen=True, slots=True)
class Asked:
    """One flow for one date, as both sides know it."""

    dag_id: str
    day: dt.date
    condition: Condition
    #: its canonical text
    text: str
    #: none: our Postgres does not know the flow (yet), or cannot be read
    first_date: dt.date | None
    launch: Launched | None
    run_id: str | None
    on_its_way: bool
    paused: bool
    broken: bool
    sources: Mapping[str, Source]
    #: of sources, those of which nothing is known among them
    number: int


@dataclass(frozen=True, slots=True)
class Stands:
    """The answer."""

    state: str
    sentence: str
    #: when it starts at the latest; none: unknown
    deadline_at: dt.datetime | None
    #: seconds between that and when its sources are usually there; what has started has the most
    slack: float


class Standing:
    """How the flows of one page stand: what several have in common is judged once."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._judged: dict[str, Launch] = {}
        self._latest: dict[str, dt.datetime | None] = {}
        self._before: dict[str, Readiness] = {}

    def of(self, asked: Asked) -> Stands:
        """How this one stands."""
        if asked.launch or asked.run_id:
            deadline_at = self._at_the_latest(asked)
            state = _launched_state(asked, asked.launch) if asked.launch else "ready"
            return Stands(state, _sentence(asked, self._now, state, None, None), deadline_at, float("inf"))
        judged = self._judge(asked)
        state = _state(asked, self._now, judged)
        sentence = _sentence(asked, self._now, state, judged, judged.due_at)
        slack = float("inf") if state == "not_due" else _slack(asked, self._now, judged.due_at)
        return Stands(state, sentence, judged.due_at, slack)

    def _judge(self, asked: Asked) -> Launch:
        if (found := self._judged.get(asked.text)) is None:
            known = {name: source.readiness for name, source in asked.sources.items() if source.readiness}
            found = self._judged[asked.text] = judge(asked.condition, known, asked.day, self._now.clock)
        return found

    def _at_the_latest(self, asked: Asked) -> dt.datetime | None:
        """As it was before anything came."""
        if asked.text not in self._latest:
            known = {
                name: self._as_it_was(name, source.readiness)
                for name, source in asked.sources.items()
                if source.readiness
            }
            self._latest[asked.text] = judge(asked.condition, known, asked.day, self._now.clock).due_at
        return self._latest[asked.text]

    def _as_it_was(self, name: str, known: Readiness) -> Readiness:
        if name not in self._before:
            self._before[name] = replace(known, state=State.WAITING, ready_at=None)
        return self._before[name]


def _state(asked: Asked, now: Now, judged: Launch) -> str:
    if asked.first_date is None:
        return "unknown"
    if asked.day < asked.first_date:
        return "not_due"
    if not now.watched:
        return "unknown"
    if judged.decided_at:
        return "ready" if judged.starts else "skipped"
    states = {source.state for source in _awaited(asked)}
    return next((worst for worst in _WORST if worst in states), "waiting")


def _launched_state(asked: Asked, launch: Launched) -> str:
    if launch.against and not asked.run_id:
        return launch.against
    if not launch.without or launch.verdict == "ready":
        return "ready"
    known = [asked.sources[name].readiness if name in asked.sources else None for name in launch.without]
    return "late" if all(each and each.state is State.LATE for each in known) else "missed"


def _awaited(asked: Asked) -> list[Source]:
    """The sources that are still to come, and without which it does not start."""
    states = {name: source.readiness.state for name, source in asked.sources.items() if source.readiness}
    there = {name for name, state in states.items() if state in _THERE}
    needed = asked.condition.missing(there)
    return [
        source
        for name, source in asked.sources.items()
        if name in needed and states.get(name, State.WAITING) is State.WAITING
    ]


def _slack(asked: Asked, now: Now, deadline_at: dt.datetime | None) -> float:
    if deadline_at is None:
        return float("inf")
    usual = [at for source in _awaited(asked) if (at := source.usual_at)]
    return (deadline_at - max([now.clock.now, *usual])).total_seconds()


def _sentence(
    asked: Asked, now: Now, state: str, judged: Launch | None, deadline_at: dt.datetime | None
) -> str:
    also = ""
    if asked.paused and not asked.run_id:
        also = " It is paused: it starts once it is unpaused."
    elif asked.broken and not asked.run_id:
        also = " Its file is broken or gone: it starts once it is mended."
    return _what(asked, now, state, judged, deadline_at) + also


def _what(asked: Asked, now: Now, state: str, judged: Launch | None, deadline_at: dt.datetime | None) -> str:
    if asked.launch:
        return _launched(asked, asked.launch, now)
    if asked.run_id:
        return "It has started."
    if asked.on_its_way:
        return "Airflow has its event and makes the run."
    if asked.first_date is None:
        if now.stale:
            return "What it waits for is in Postgres, which cannot be read."
        return "It is new: the registrar has not taken it up yet."
    if state == "not_due":
        return f"It is judged from {asked.first_date} on."
    if not now.watched:
        return "Nobody has looked for too long: whether its sources are there is not known."
    if judged and judged.decided_at:
        return "It is due: the launch is made with the processor's next step."
    return _waiting(asked, now, deadline_at)


def _launched(asked: Asked, launch: Launched, now: Now) -> str:
    at = now.clock.tell(launch.decided_at, asked.day)
    if launch.against and not asked.run_id:
        how = "Skipped" if launch.against == "skipped" else "Made to fail"
        without = launch.without or [name for name, outcome in launch.outcomes.items() if outcome == "pending"]
        return f"{how} at {at}" + (f", without {_names(without)}." if without else ".")
    without = launch.without
    held = (asked.paused or asked.broken) and not asked.run_id
    since = f"Held since {at}" if held else f"Started at {at}"
    if not without:
        skipped = [name for name, outcome in launch.outcomes.items() if outcome == "skipped"]
        return since + (f", {_names(skipped)} skipped by hand." if skipped else ": all was ready.")
    came = [name for name in without if name in asked.sources and asked.sources[name].state == "late"]
    later = f"; {_names(came)} came later." if came else "."
    deadline = "" if launch.verdict == "ready" else ", at its deadline"
    return f"{since}{deadline}, without {_names(without)}{later}"


def _waiting(asked: Asked, now: Now, deadline_at: dt.datetime | None) -> str:
    awaited = sorted(
        _awaited(asked), key=lambda source: (source.usual_at is None, source.usual_at, source.known.source)
    )
    if not awaited:
        at = f": it starts at {now.clock.tell(deadline_at, asked.day)}" if deadline_at else ""
        return f"What it waits for is there{at}."
    told = ", ".join([_tell(source, now) for source in awaited[:_NAMED]])
    if len(awaited) > _NAMED:
        told += f", and {len(awaited) - _NAMED} more"
    sentence = f"Waiting for {len(awaited)} of {asked.number}: {told}"
    if deadline_at is None:
        return f"{sentence}."
    left = (deadline_at - now.clock.now).total_seconds()
    return f"{sentence}; deadline {f'in {span(left)}' if left >= 0 else f'{span(-left)} ago'}."


def _tell(source: Source, now: Now) -> str:
    """``hive.fx_rates, usually 05:40, 18 min late``."""
    told, usual = source.known.source, source.known.usual
    if usual.usual is None:
        return told
    told += f", usually {clock_of(usual.usual)}"
    late = (now.clock.now - source.usual_at).total_seconds() if source.usual_at else 0
    return told + (f", {span(late)} late" if late >= 60 else "")


def _names(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
