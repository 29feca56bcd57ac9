"""A line of the table, and the table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement beside another of the same run."""

    work: str
    value: float
    unit: str
    beside: str
    other: float
    #: what is to be reached: the ratio, or the value itself where there is nothing beside it
    reach: float
    #: whether the reach is of the ratio
    by_ratio: bool = True
    #: whether more is better
    more: bool = False

    @property
    def ratio(self) -> float:
        """Ours to the other's."""
        return self.value / self.other if self.other else float("nan")

    @property
    def reached(self) -> bool:
        """Whether it is what was to be reached."""
        measured = self.ratio if self.by_ratio else self.value
        return measured >= self.reach if self.more else measured <= self.reach


def to_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """For ``bench.json``."""
    return [{**asdict(row), "ratio": row.ratio, "reached": row.reached} for row in rows]


def table(rows: Iterable[Row], title: str) -> Table:
    """For a terminal."""
    drawn = Table("work", "ours", "beside", "", "ratio", "reach", "", title=title)
    for row in rows:
        sign = "≥" if row.more else "≤"
        drawn.add_row(
            row.work,
            f"{row.value:.3g} {row.unit}",
            row.beside,
            f"{row.other:.3g} {row.unit}" if row.other else "",
            f"{row.ratio:.2f}" if row.other else "",
            f"{sign} {row.reach:g}{' ×' if row.by_ratio else ' ' + row.unit}",
            "✓" if row.reached else "missed",
        )
    return drawn
