"""``airflow readiness status``: how the sources stand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from airflow_readiness.core.clock import Clock
from airflow_readiness.core.shown import SHOWN
from airflow_readiness.operating.known import Known, known_of, read_clock
from airflow_readiness.operating.show import Grid
from airflow_readiness.store.store import Store

_COLUMNS: Final = ("source", "date", "state", "logs", "ready at", "deadline", "usually", "")


@dataclass(frozen=True, slots=True)
class Status:
    """The sources that were asked for."""

    clock: Clock
    sources: tuple[Known, ...]

    @property
    def exit_code(self) -> int:
        """0: each is ready, late or skipped. 1: one is not, or there is none."""
        return 0 if self.sources and all(each.satisfied for each in self.sources) else 1

    def to_json(self) -> dict[str, Any]:
        """``{"now": …, "timezone": …, "sources": […]}``."""
        return {
            "now": self.clock.now.isoformat(),
            "timezone": self.clock.zone,
            "sources": [each.to_json(self.clock.now) for each in self.sources],
        }

    def parts(self) -> Iterator[str | Grid]:
        """A table, and on which clock its times are."""
        if not self.sources:
            yield "Nothing is known of such a source: dates are judged once their window has begun."
            return
        states = [each.state(self.clock.now) for each in self.sources]
        rows = [_row(each, self.clock) for each in self.sources]
        yield Grid(_COLUMNS, rows, [SHOWN.get(state, "") for state in states])
        yield f"Times are those of {self.clock.zone}, where it is {self.clock.tell(self.clock.now)}."


def _row(known: Known, clock: Clock) -> tuple[str, ...]:
    day, readiness = known.business_date, known.readiness
    if readiness is None:
        return known.source, day.isoformat(), known.state(clock.now), "", "", "", known.usual.tell(), ""
    return (
        known.source,
        day.isoformat(),
        known.state(clock.now),
        f"{readiness.log_count}/{readiness.needed}",
        clock.tell(readiness.ready_at, day) if readiness.ready_at else "",
        clock.tell(readiness.deadline_at, day),
        known.usual.tell(),
        ", ".join(known.remarks()),
    )


async def status(
    store: Store,
    day: dt.date | None = None,
    states: Collection[str] = (),
    patterns: Collection[str] = (),
) -> Status:
    """How the sources stand.

    :param day: a business date; none: today, and whatever is unmet
    :param states: as ``--state`` takes them; none: all
    :param patterns: names of sources, ``*`` and ``?`` stand for anything; none: all
    """
    clock = await read_clock(store)
    found = [known_of(row) for row in await store.fetch("status", day)]
    wanted = {state.replace("-", " ") for state in states}
    return Status(
        clock,
        tuple(
            each
            for each in found
            if (not wanted or each.state(clock.now) in wanted)
            and (not patterns or any(fnmatchcase(each.source, pattern) for pattern in patterns))
        ),
    )
