"""What ``readiness.advance()`` must say, in plain Python: no SQL, and nothing of the product.

Wall-clock times become instants as Postgres' ``AT TIME ZONE`` resolves them: a time that a clock change
skips is read with the offset before the change (so 02:30 becomes 03:30 summer time), one that it repeats
with the offset after it (so the second 02:30 is meant). All instants are UTC.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass, field

MIDNIGHT = dt.time(0)
#: Dates that are opened at once after a long sleep.
SLEPT = 31


@dataclass(frozen=True)
class Setting:
    """Settings of a source; by default those of the deployment."""

    deadline: dt.time
    read_from: dt.time | None = None
    needed: int = 1


@dataclass(frozen=True)
class Options:
    """Named settings of a source."""

    #: weekdays (0 is Monday) and dates on which it is due; none: every day
    calendar: frozenset[int | dt.date] | None = None
    on_deadline: str = "run"
    on_late: str = "ignore"

    def due(self, day: dt.date) -> bool:
        return self.calendar is None or day in self.calendar or day.weekday() in self.calendar


@dataclass(frozen=True)
class Log:
    """A committed log row."""

    source: str
    day: dt.date | None
    logged_at: dt.datetime
    load_id: str


@dataclass(frozen=True)
class Flow:
    """A flow that waits for these sources, for the dates from ``first_date`` on."""

    sources: tuple[str, ...]
    first_date: dt.date
    #: as JSON, where it matters how
    condition: str = ""


@dataclass(frozen=True)
class Window:
    """Undated logs count from ``start``, are in time until ``deadline``, late until ``end``."""

    start: dt.datetime
    deadline: dt.datetime
    end: dt.datetime


@dataclass
class Known:
    """One source for one date."""

    state: str = "waiting"
    log_count: int = 0
    ready_at: dt.datetime | None = None
    missed_at: dt.datetime | None = None
    deadline_at: dt.datetime | None = None
    #: judged with these settings
    window: Window | None = None
    override: dt.datetime | None = None
    #: opened because somebody asked, not by the calendar
    asked_for: bool = False
    closed: bool = False
    on_deadline: str = "run"
    on_late: str = "ignore"

    def shown(self) -> tuple[object, ...]:
        """What the table must hold."""
        return (self.state, self.log_count, self.ready_at, self.missed_at, self.deadline_at, self.closed)


def instant(day: dt.date, clock: dt.time, zone: zoneinfo.ZoneInfo) -> dt.datetime:
    """A wall-clock time as an instant."""
    first = dt.datetime.combine(day, clock, zone).replace(fold=0)
    second = first.replace(fold=1)
    before, after = first.utcoffset(), second.utcoffset()
    assert before is not None and after is not None
    # in a gap the clock was put forward, so the offset before it is the smaller one
    chosen = second if after < before else first
    return chosen.astimezone(dt.timezone.utc)


@dataclass
class Model:
    """The deployment: put in what happened, take a step, look at ``known``."""

    zone: zoneinfo.ZoneInfo
    default: Setting
    settings: dict[str, Setting] = field(default_factory=dict)
    options: dict[str, Options] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)
    logs: list[Log] = field(default_factory=list)
    known: dict[tuple[str, dt.date], Known] = field(default_factory=dict)

    def window(self, source: str, day: dt.date) -> Window:
        """The window of a date by the settings in force."""
        setting = self.settings.get(source, self.default)
        begin, first = MIDNIGHT, day
        if setting.read_from is not None:
            begin = setting.read_from
            if begin >= setting.deadline:
                # a night window begins on the evening before
                first -= dt.timedelta(days=1)
        return Window(
            instant(first, begin, self.zone),
            instant(day, setting.deadline, self.zone),
            instant(first + dt.timedelta(days=1), begin, self.zone),
        )

    def expect(self, source: str, day: dt.date, deadline: dt.datetime | None) -> None:
        """Somebody waits for this date, maybe with a deadline of its own."""
        known = self.known.get((source, day))
        if known is None:
            self.known[source, day] = Known(override=deadline, asked_for=True)
        elif deadline is not None and known.state == "waiting":
            known.override = deadline

    def retire(self, source: str) -> None:
        """No settings of a source are in force any more."""
        self.settings.pop(source, None)
        self.options.pop(source, None)

    def advance(self, at: dt.datetime) -> None:
        """The calendar goes on; then every unmet date is judged as of this instant."""
        tracked = {*self.settings, *(name for flow in self.flows.values() for name in flow.sources)}
        for source in tracked:
            for day in self._opened(source, at):
                self.known.setdefault((source, day), Known()).asked_for = False
        for (source, day), known in self.known.items():
            if known.state in ("waiting", "missed", "not_due") and not known.closed:
                self._judge(source, day, known, at)

    def _opened(self, source: str, at: dt.datetime) -> list[dt.date]:
        today = at.astimezone(self.zone).date()
        around = (today + dt.timedelta(days=ahead) for ahead in (-2, -1, 0, 1, 2))
        last = max(day for day in around if self.window(source, day).start <= at)
        before = [
            day
            for (name, day), known in self.known.items()
            if name == source and day <= last and not known.asked_for
        ]
        firsts = [flow.first_date for flow in self.flows.values() if source in flow.sources]
        begin = max(before) + dt.timedelta(days=1) if before else min([*firsts, last])
        begin = max(begin, last - dt.timedelta(days=SLEPT - 1))
        return [begin + dt.timedelta(days=ahead) for ahead in range((last - begin).days + 1)]

    def of_date(self, source: str, day: dt.date, at: dt.datetime) -> dict[str, dt.datetime]:
        """The loads that count for a date, each at its first log."""
        window = self.window(source, day)
        loads: dict[str, dt.datetime] = {}
        for log in self.logs:
            in_window = log.day is None and window.start <= log.logged_at < window.end
            if log.source == source and log.logged_at <= at and (log.day == day or in_window):
                loads[log.load_id] = min(log.logged_at, loads.get(log.load_id, log.logged_at))
        return loads

    def _judge(self, source: str, day: dt.date, known: Known, at: dt.datetime) -> None:
        window = self.window(source, day)
        needed = self.settings.get(source, self.default).needed
        # a deadline that was missed is not moved any more
        if known.state != "missed":
            known.deadline_at = known.override or window.deadline
        deadline = known.deadline_at
        assert deadline is not None
        times = sorted(self.of_date(source, day, at).values())
        known.window, known.log_count = window, len(times)
        options = self.options.get(source, Options())
        due, known.on_deadline, known.on_late = options.due(day), options.on_deadline, options.on_late
        if len(times) >= needed and window.start <= at:
            known.ready_at = max(times[needed - 1], window.start)
            in_time = known.ready_at <= deadline or not due
            known.state = "ready" if in_time and known.state != "missed" else "late"
        elif known.state != "missed":
            if not due and window.start <= at:
                known.state = "not_due"
            else:
                known.state = "missed" if at >= deadline else "waiting"
        if known.state in ("missed", "late"):
            known.missed_at = known.missed_at or deadline
        known.closed = known.state != "waiting" and at >= max(window.end, deadline)
