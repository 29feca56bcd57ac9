"""The judge: what Airflow did, against what the model says; and its table."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from rich.table import Table

from tests.faults.breakages import BREAKAGES, WELL
from tests.faults.campaign import Fault, Record
from tests.faults.history import History
from tests.faults.model import NEVER, SourceDay, due_at, sources

#: The clock of this process and the one that stamps Airflow's runs are read apart.
SKEW: Final = 0.05
#: A launch on its way when a fault begins, in seconds.
ON_ITS_WAY: Final = 5.0
NONE: Final = "none"
#: Seconds after a flow is unpaused.
PAUSED_BOUND: Final = 60.0


@dataclass(slots=True)
class Verdict:
    """What became of one launch of a flow."""

    flow: str
    day: int
    kind: str
    #: seconds from the instant that counts to the run; none if it was lost
    error: float | None
    bound: float
    early_by: float = 0
    #: when it fell due, at the latest, and when its runs were created (seconds of the epoch)
    due: float = NEVER
    runs: list[float] = field(default_factory=list)

    @property
    def complaint(self) -> str:
        """What promise was broken; empty if none."""
        if self.error is None:
            return "lost"
        if len(self.runs) > 1:
            return f"started {len(self.runs)} times"
        if self.early_by > SKEW:
            return f"early by {self.early_by:.2f} s"
        return f"late by {self.error:.1f} s" if self.error > self.bound else ""


@dataclass(slots=True)
class Row:
    """One kind of fault in the table."""

    kind: str
    bound: float
    faults: int = 0
    verdicts: list[Verdict] = field(default_factory=list)


def judge(history: History, record: Record, runs: Iterable[tuple[str, int, float]]) -> list[Verdict]:
    """A verdict for each launch that the model expects."""
    created: dict[tuple[str, int], list[float]] = {}
    for flow, day, at in runs:
        created.setdefault((flow, day), []).append(at)
    wanted = list(expected(history, record))
    verdicts = [_verdict(*pair, history, record, created.get(pair, [])) for pair in wanted]
    # and of dates that nobody has opened
    verdicts += [
        Verdict(*pair, NONE, 0, WELL, early_by=NEVER, runs=created[pair])
        for pair in created.keys() - set(wanted)
    ]
    return verdicts


def expected(history: History, record: Record) -> Iterator[tuple[str, int]]:
    """The (flow, day) that must launch: all of them, since every date has a deadline."""
    days = sorted({day for _, day in record.days})
    for flow, day in itertools.product(sorted(history.flows), days):
        if all((name, day) in record.days for name in sources(history.flows[flow])):
            yield flow, day


def _verdict(flow: str, day: int, history: History, record: Record, created: list[float]) -> Verdict:
    condition = history.flows[flow]
    days = {name: record.days[name, day] for name in sources(condition)}
    earliest = due_at(condition, days, record.needed, "before")
    latest = due_at(condition, days, record.needed, "after")
    at = min(created, default=NEVER)
    verdict = Verdict(flow, day, NONE, None, WELL, due=latest, runs=sorted(created))
    candidates = [(latest, WELL, NONE)]
    for fault in record.faults:
        if fault.flow not in ("", flow) or not _touches(fault, latest):
            continue
        candidates.append(_allowance(fault, condition, days, record, latest))
    since, verdict.bound, verdict.kind = max(candidates, key=lambda each: each[0] + each[1])
    if created:
        verdict.error = at - since
        verdict.early_by = max(earliest - at, 0)
    return verdict


def _touches(fault: Fault, due: float) -> bool:
    recovery = PAUSED_BOUND if fault.flow else BREAKAGES[fault.kind].recovery
    return fault.begin - ON_ITS_WAY <= due <= fault.end + recovery


def _allowance(
    fault: Fault, condition: object, days: dict[str, SourceDay], record: Record, due: float
) -> tuple[float, float, str]:
    """From when a launch counts as late, by how much it may be, and because of what."""
    if fault.flow:
        return max(due, fault.end), PAUSED_BOUND, fault.kind
    breakage = BREAKAGES[fault.kind]
    if breakage.counted_from == "due":
        return due, breakage.bound, fault.kind
    after = max(due, fault.end)
    if breakage.counted_from == "known":
        # Redis had the plan of what was written some moments before the fault began
        after = min(after, max(due, due_at(condition, days, record.needed, "after", fault.begin - ON_ITS_WAY)))
    return after, breakage.bound, fault.kind


def rows(faults: list[Fault], verdicts: list[Verdict]) -> list[Row]:
    """The table: kinds of fault in the order of their list, first that of none."""
    table = [Row(NONE, WELL), *(Row(kind, each.bound) for kind, each in BREAKAGES.items())]
    table.append(Row("flow_paused", PAUSED_BOUND))
    by_kind = {row.kind: row for row in table}
    for fault in faults:
        by_kind[fault.kind].faults += 1
    for verdict in verdicts:
        by_kind[verdict.kind].verdicts.append(verdict)
    return [row for row in table if row.faults or row.verdicts]


def quantile(values: list[float], part: float) -> float:
    """The value below which this part of all lies; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def cells(name: str, faults: int, bound: float | None, verdicts: list[Verdict]) -> list[str]:
    """One line of the table."""
    errors = [max(each.error, 0) for each in verdicts if each.error is not None]
    figures = [quantile(errors, 0.5), quantile(errors, 0.99), max(errors, default=0)]
    return [
        name,
        str(faults),
        str(len(verdicts)),
        str(len(errors)),
        str(sum(each.error is None for each in verdicts)),
        str(sum(len(each.runs) > 1 for each in verdicts)),
        str(sum(each.early_by > SKEW for each in verdicts)),
        *(f"{figure:.1f}" for figure in figures),
        f"{bound:g}" if bound else "",
    ]


HEAD: Final = [
    "fault",
    "times",
    "expected",
    "launched",
    "lost",
    "twice",
    "early",
    "p50",
    "p99",
    "worst",
    "bound",
]


def table(faults: list[Fault], verdicts: list[Verdict]) -> Table:
    """For a terminal. Times in seconds."""
    drawn = Table(*HEAD, title="launches by what was broken when they fell due; deadline error in seconds")
    for row in rows(faults, verdicts):
        drawn.add_row(*cells(row.kind, row.faults, row.bound, row.verdicts))
    drawn.add_section()
    drawn.add_row(*cells("all", len(faults), None, verdicts))
    return drawn


def markdown(faults: list[Fault], verdicts: list[Verdict]) -> str:
    """The same for the README."""
    lines = [HEAD, ["---"] * len(HEAD)]
    lines += [cells(row.kind, row.faults, row.bound, row.verdicts) for row in rows(faults, verdicts)]
    lines.append(cells("all", len(faults), None, verdicts))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
