"""Plays a history on a real deployment, and writes down when what was really done."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.faults.breakages import BREAKAGES
from tests.faults.history import Action, History
from tests.faults.model import NEVER, Needed, SourceDay, Span
from tests.faults.site import Site

#: A deadline is moved only if its old one is at least this many seconds away.
CLEAR: Final = 3.0
#: Seconds for which nothing may happen before the campaign ends without all launches.
PATIENCE: Final = 150.0


@dataclass(slots=True)
class Fault:
    """A fault as it was; instants are seconds of the epoch."""

    kind: str
    begin: float
    end: float = NEVER
    #: the flow, if it is one that is paused
    flow: str = ""


@dataclass(slots=True)
class Record:
    """What was done: all that the model needs to say what must launch and when."""

    needed: dict[str, Needed]
    #: when the campaign began (seconds of the epoch)
    began: float = 0
    days: dict[tuple[str, int], SourceDay] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    #: what an operator would have had to repair, at the end
    unwell: list[str] = field(default_factory=list)


class Campaign:
    """Plays one history.

    :param native: Airflow's native way: start the task of each source and date, as a schedule would
    """

    def __init__(self, history: History, site: Site, say: Callable[[str], None], native: bool = False) -> None:
        self._history = history
        self._site = site
        self._say = say
        self._native = native
        self._to_start: list[tuple[str, int]] = []
        self._held: list[Action] = []
        self._broken: Fault | None = None
        self.record = Record({name: Needed(count) for name, count in history.needed.items()})

    def prepare(self) -> None:
        """Settings of all sources, and flows that are judged for the past too."""
        for name, count in self._history.needed.items():
            self._set_needed(name, count)
        self._site.stack.sql("update readiness.flow set first_date = $1", self._site.today - dt.timedelta(60))

    def play(self) -> Record:
        """Do everything in its time; the record."""
        self.record.began = began = time.time()
        queue = list(self._history.actions)
        while queue:
            action = queue.pop(0)
            time.sleep(max(began + action.at - time.time(), 0))
            queue += self._do(action, began)
            queue.sort(key=lambda each: each.at)
            self._start_native()
            self._revive()
        return self.record

    def _do(self, action: Action, began: float) -> list[Action]:
        """One action; what follows from it."""
        follow = Action(time.time() - began + action.value, "", action.subject)
        if action.kind == "fault":
            return [self._break(action, follow)]
        if action.kind == "mend":
            self._mend(action)
        elif action.kind in ("pause", "unpause"):
            return self._pause(action, follow, began)
        elif self._broken and BREAKAGES[self._broken.kind].holds_writers:
            self._held.append(action)
        else:
            self._write(action)
        return []

    def _break(self, action: Action, follow: Action) -> Action:
        self._say(f"{action.subject} for {action.value:.0f} s")
        self._broken = Fault(action.subject, time.time())
        self.record.faults.append(self._broken)
        BREAKAGES[action.subject].begin(self._site)
        return Action(follow.at, "mend", action.subject)

    def _mend(self, action: Action) -> None:
        assert self._broken
        BREAKAGES[action.subject].end(self._site)
        self._broken.end = time.time()
        self._broken = None
        held, self._held = self._held, []
        for each in held:
            self._write(each)

    def _pause(self, action: Action, follow: Action, began: float) -> list[Action]:
        try:
            self._site.stack.rest.pause(action.subject, action.kind == "pause")
        except (OSError, RuntimeError):
            # the API server is away: try again soon
            return [Action(time.time() - began + 1, action.kind, action.subject, -1, action.value)]
        if action.kind == "pause":
            self.record.faults.append(Fault("flow_paused", time.time(), flow=action.subject))
            return [Action(follow.at, "unpause", action.subject)]
        (fault,) = (each for each in self.record.faults if each.flow == action.subject)
        fault.end = time.time()
        return []

    def _write(self, action: Action) -> None:
        name = action.subject
        if action.kind == "needed":
            span = self._span(lambda: self._set_needed(name, int(action.value)))
            self.record.needed[name].changes.append((span, int(action.value)))
        elif action.kind == "log":
            span = self._span(lambda: self._log(name, action.day, action.load))
            self.record.days[name, action.day].loads.setdefault(action.load, span)
        else:
            self._set_deadline(action)

    def _set_deadline(self, action: Action) -> None:
        key = (action.subject, action.day)
        deadline = time.time() + action.value
        known = self.record.days.get(key)
        if known and known.deadline() - time.time() < CLEAR:
            return
        span = self._span(lambda: self._expect(*key, deadline))
        if known:
            known.deadlines.append((span, deadline))
        else:
            self.record.days[key] = SourceDay(span, [(span, deadline)])
            if self._native:
                self._to_start.append(key)

    def _revive(self) -> None:
        """As a process manager does; unless it is the fault that they are gone."""
        if revived := self._site.stack.revive():
            self._say(f"started again, having ended by itself: {', '.join(revived)}")

    def _start_native(self) -> None:
        while self._to_start:
            name, number = self._to_start[0]
            day = self._site.day(number).isoformat()
            body = {"dag_run_id": day, "logical_date": None, "conf": {"day": day}}
            try:
                self._site.stack.rest.call("POST", f"/api/v2/dags/native_{name}/dagRuns", body)
            except (OSError, RuntimeError) as error:
                # the API server is away: a schedule would go on when it is back. 409: it had heard
                if "409" not in str(error):
                    return
            self._to_start.pop(0)

    @staticmethod
    def _span(write: Callable[[], object]) -> Span:
        before = time.time()
        write()
        return Span(before, time.time())

    def _expect(self, name: str, day: int, deadline: float) -> None:
        at = dt.datetime.fromtimestamp(deadline, dt.timezone.utc)
        query = "select readiness.expect($1, $2, $3, $4)"
        self._site.stack.sql(query, *name.split("."), self._site.day(day), at)

    def _log(self, name: str, day: int, load: str) -> None:
        query = "select readiness.report_log($1, $2, $3, load_id => $4)"
        self._site.stack.sql(query, *name.split("."), self._site.day(day), load)

    def _set_needed(self, name: str, count: int) -> None:
        query = "select readiness.set_log_settings($1, $2, 23, 59, null, null, $3)"
        self._site.stack.sql(query, *name.split("."), count)

    def wait(self, wanted: set[tuple[str, int]]) -> None:
        """Until all of these (flow, day) have run, or nothing has come for a while."""
        seen, changed_at = -1, time.time()
        keys = {(flow, self._site.day(day).isoformat()) for flow, day in wanted}
        while time.time() < changed_at + PATIENCE:
            found = len(keys & {(flow, key) for flow, key, _ in self._site.airflow_runs()})
            if found == len(keys):
                return
            if found != seen:
                seen, changed_at = found, time.time()
            self._revive()
            time.sleep(1)
