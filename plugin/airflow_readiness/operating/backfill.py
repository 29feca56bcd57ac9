"""``airflow readiness backfill``: one flow for dates of the past, those for which its sources are there.

An event of a launch starts every flow on the condition. So for one flow alone the launch is written down
as published, and the flow as one that has missed it: the registrar starts it by itself, with the date as
partition key, as it does for a flow that was paused. ``all_flows`` leaves the launch to the collector.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from airflow_readiness.core.clock import Clock
from airflow_readiness.core.condition import Condition
from airflow_readiness.core.document import Launch
from airflow_readiness.core.shown import SATISFIED
from airflow_readiness.core.state import Readiness, State
from airflow_readiness.errors import BadInput, ReadinessError
from airflow_readiness.operating.known import asked_for, judge, read_clock
from airflow_readiness.operating.refusal import ask_airflow, plainly
from airflow_readiness.operating.show import Grid
from airflow_readiness.operating.why import flow_of
from airflow_readiness.repair import able
from airflow_readiness.store.store import Row, Store, readiness_of

if TYPE_CHECKING:
    from airflow_readiness.operating.refusal import Look

#: Dates of one command, at the most; dates that are judged at once.
MOST: Final = 3660
CHUNK: Final = 50
#: Seconds for which a step of the processor is waited for (another part stands in after 45), and without
#: a run until the rest is left to the registrar.
PATIENCE: Final = 75.0
QUIET: Final = 30.0
_STILL: Final = ", still waited for"

#: Told how far it is: what is being done, how much of it, and how much there is.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for."""

    flow: str
    first: dt.date
    last: dt.date
    by: str
    reason: str | None = None
    #: also the dates for which a source is missing, as at their deadline
    missing_too: bool = False
    #: every flow on the condition
    all_flows: bool = False

    @property
    def days(self) -> list[dt.date]:
        """Each date, in order."""
        return [self.first + dt.timedelta(days=number) for number in range((self.last - self.first).days + 1)]


@dataclass(slots=True)
class Backfill:
    """What became of each date."""

    wish: Wish
    #: launched now; the run, if it was seen
    launched: dict[dt.date, str | None] = field(default_factory=dict)
    #: date → why it was left alone
    left: dict[dt.date, str] = field(default_factory=dict)
    #: date → what is missing
    missing: dict[dt.date, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0: each date has its run, or gets it. 1: a source is missing for one of them."""
        return 1 if self.missing else 0

    def to_json(self) -> dict[str, Any]:
        """By date."""
        return {
            "flow": self.wish.flow,
            "launched": {f"{day}": run for day, run in sorted(self.launched.items())},
            "left_alone": {f"{day}": why for day, why in sorted(self.left.items())},
            "missing": {f"{day}": what for day, what in sorted(self.missing.items())},
        }

    def parts(self) -> Iterator[str | Grid]:
        """A table by date, and how many there are of each kind."""
        runs = {day: run or "its run is on the way" for day, run in self.launched.items()}
        says = {day: ("launched", run) for day, run in runs.items()}
        says |= {day: ("left alone", why) for day, why in self.left.items()}
        says |= {day: ("not ready", what) for day, what in self.missing.items()}
        yield Grid(("date", "", ""), [(f"{day}", *says[day]) for day in sorted(says)])
        yield (
            f"{self.wish.flow}: {len(self.launched)} dates launched, {len(self.left)} left alone, "
            f"{len(self.missing)} not ready."
        )


async def backfill(
    store: Store, look: Look, wish: Wish, progress: Progress = lambda _what, _done, _all: None
) -> Backfill:
    """Open the dates, judge them by the logs that exist, and launch those whose sources are there.

    :param look: reads Airflow; blocking
    :raises BadInput: if the dates, or the flow, cannot be meant
    :raises Refused: if the flow is paused or broken
    """
    clock = await read_clock(store)
    _check(wish, clock.today)
    await flow_of(store, wish.flow, wish.first)
    seen = await ask_airflow(look, clock.now, [])
    condition = able(seen.flows, wish.flow)
    result = Backfill(wish)
    days = wish.days
    for start in range(0, len(days), CHUNK):
        progress("judging", start, len(days))
        await _judge(store, condition, days[start : start + CHUNK])
        await _launch(store, look, condition, days[start : start + CHUNK], result)
    progress("judging", len(days), len(days))
    await _wait_for_runs(store, result, progress)
    return result


def _check(wish: Wish, today: dt.date) -> None:
    if wish.first > wish.last:
        raise BadInput(f"--from {wish.first} is after --to {wish.last}: give the earlier date first")
    if wish.last >= today:
        raise BadInput(f"--to {wish.last} is not in the past (today is {today}): that date is judged anyway")
    if len(wish.days) > MOST:
        raise BadInput(f"{len(wish.days)} dates are more than {MOST}: give a shorter time")


async def _judge(store: Store, condition: Condition, days: Sequence[dt.date]) -> None:
    """Have these dates judged: they are opened here, and the processor takes its step."""
    sources = list(condition.sources)
    await store.run("reopen_dates", sources, days)
    with plainly():
        await store.run("expect_dates", sources, days)
    await store.ring("processed_log")
    until = asyncio.get_running_loop().time() + PATIENCE
    while (await store.fetch("unjudged", sources, days))[0]["number"]:
        if asyncio.get_running_loop().time() > until:
            raise ReadinessError(
                f"the dates {days[0]} to {days[-1]} are open, and nobody has judged them for {PATIENCE:g} s: "
                "'airflow readiness doctor' says why; then give the command again"
            )
        await asyncio.sleep(0.1)


async def _launch(
    store: Store, look: Look, condition: Condition, days: Sequence[dt.date], result: Backfill
) -> None:
    wish = result.wish
    # first our launches, then Airflow's runs: an event that is published in between has its run by then
    launches = {
        row["business_date"]: row
        for row in await store.fetch("launches_of", wish.flow, condition.text, list(days))
    }
    known = await _known(store, condition, days)
    clock = await read_clock(store)
    seen = await ask_airflow(look, clock.now, [(wish.flow, day.isoformat()) for day in days])
    runs = {dt.date.fromisoformat(key): run for (_, key), run in seen.runs.items()}
    new: list[Launch] = []
    alone: list[dt.date] = []
    for day in days:
        if why := _left_alone(launches[day], runs, day):
            result.left[day] = why
        elif what := _missing(condition, known[day], day, clock, missing_too=wish.missing_too):
            result.missing[day] = what
        elif launches[day]["published_at"]:
            alone.append(day)
        else:
            new.append(asked_for(condition, known[day], day, clock))
    async with store.connection.transaction():
        started = await _write(store, wish, condition, new, alone)
        for day in sorted(started):
            result.launched[day] = None
            await store.run("audit", "backfill", wish.by, wish.reason, wish.flow, day, _detail(wish))
    for launch in new:
        if launch.business_date not in started:
            result.left[launch.business_date] = "was launched at this moment"


async def _write(
    store: Store, wish: Wish, condition: Condition, new: Sequence[Launch], alone: Sequence[dt.date]
) -> set[dt.date]:
    """Launches for the registrar (or, of all flows, for the collector) to carry out; their dates."""
    columns = [condition.text] * len(new), [e.business_date for e in new], [e.to_json() for e in new]
    if wish.all_flows:
        rows = await store.fetch("insert_launches", *columns, new[0].decided_at) if new else []
    else:
        rows = await store.fetch("launch_alone", *columns, wish.flow)
    count = len(alone)
    await store.run("runs_seen", [wish.flow] * count, alone, [condition.text] * count, [None] * count)
    return {row["business_date"] for row in rows} | set(alone)


def _detail(wish: Wish) -> dict[str, Any]:
    return {
        "from": wish.first.isoformat(),
        "to": wish.last.isoformat(),
        "missing_too": wish.missing_too,
        "all_flows": wish.all_flows,
    }


async def _known(
    store: Store, condition: Condition, days: Sequence[dt.date]
) -> dict[dt.date, dict[str, Readiness]]:
    rows = await store.fetch_pairs("states", [(name, day) for day in days for name in condition.sources])
    known: dict[dt.date, dict[str, Readiness]] = {day: {} for day in days}
    for row in rows:
        known[row["business_date"]][row["source"]] = readiness_of(row)
    return known


def _left_alone(launch: Row, runs: Mapping[dt.date, str | None], day: dt.date) -> str:
    """Why this date is none of ours; empty if it is."""
    if day not in runs:
        return "its run is on the way"
    if run := runs[day]:
        return f"has a run: {run}"
    if launch["looked_for"]:
        return "is being started by itself"
    if launch["decision"] in ("skipped", "failed") and not launch["published_at"]:
        return f"was {launch['decision']}, as a deadline says"
    if launch["decided_at"] and not launch["published_at"]:
        return "is about to be published"
    return ""


def _missing(
    condition: Condition, known: Mapping[str, Readiness], day: dt.date, clock: Clock, *, missing_too: bool
) -> str:
    """The sources without which the flow is not started for a date; empty if it is."""

    def there(each: Readiness) -> bool:
        return missing_too or each.outcome in SATISFIED

    held = {name: each for name, each in known.items() if there(each)}
    # its own times are all over
    launch = judge(condition.without_times(), held, day, clock)
    if launch.decided_at and (launch.starts or missing_too):
        return ""
    return ", ".join(
        f"{name} ({each.log_count}/{each.needed} logs{_STILL if each.state is State.WAITING else ''})"
        for name, each in sorted(known.items())
        if not there(each) or each.state is State.WAITING
    )


async def _wait_for_runs(store: Store, result: Backfill, progress: Progress) -> None:
    """Until the registrar has seen the runs, or has seen none for a while: then it goes on without us."""
    if result.wish.all_flows or not result.launched:
        return
    now = asyncio.get_running_loop().time
    until = now() + QUIET
    while True:
        rows = await store.fetch("runs_of", result.wish.flow, list(result.launched))
        if len(rows) > sum(run is not None for run in result.launched.values()):
            result.launched |= {row["business_date"]: row["run_id"] for row in rows}
            until = now() + QUIET
        progress("starting", len(rows), len(result.launched))
        if len(rows) == len(result.launched) or now() > until:
            return
        await asyncio.sleep(0.2)
