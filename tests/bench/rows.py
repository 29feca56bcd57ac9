"""A line of the table, and the table."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from rich.table import Table

#: unit → the same in others, smallest first: (how many of it, its name)
_SCALES: Final[dict[str, tuple[tuple[float, str], ...]]] = {
    "s": ((1e-6, "µs"), (1e-3, "ms"), (1, "s")),
    "ms": ((1e-3, "µs"), (1, "ms"), (1e3, "s")),
    "B": ((1, "B"), (1024, "KiB"), (1024**2, "MiB"), (1024**3, "GiB")),
    "KiB": ((1, "KiB"), (1024, "MiB"), (1024**2, "GiB")),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement, beside another of the same run or by itself."""

    work: str
    value: float
    #: of both figures: ``s``, ``B``, ``rows/s`` …
    unit: str
    #: what it is measured beside; empty if nothing
    beside: str = ""
    #: the same there
    other: float = 0
    #: what is to be reached: the ratio, or the value itself; infinite if it is only told
    reach: float = math.inf
    #: whether the reach is of the ratio
    by_ratio: bool = True
    #: whether more is better
    more: bool = False
    #: how it was measured, where that is not plain
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours to the other's; not a number where there is none."""
        return self.value / self.other if self.beside and self.other else math.nan

    @property
    def told(self) -> bool:
        """Whether nothing was to be reached."""
        return math.isinf(self.reach)

    @property
    def reached(self) -> bool:
        """Whether it is what was to be reached; not so where there is no figure."""
        measured = self.ratio if self.by_ratio and not self.told else self.value
        return measured >= self.reach if self.more and not self.told else measured <= self.reach

    @property
    def result(self) -> str:
        """The last column."""
        if self.told:
            return ""
        return "reached" if self.reached else "missed"

    @property
    def wanted(self) -> str:
        """What is to be reached, in words."""
        if self.told:
            return ""
        return (
            f"{'≥' if self.more else '≤'} {f'{self.reach:g} ×' if self.by_ratio else self.written(self.reach)}"
        )

    def written(self, value: float) -> str:
        """A figure of this row, three digits of it, in a unit that it is short in."""
        # 0.9995 of a unit is written as one
        fitting = [each for each in _SCALES.get(self.unit, ()) if abs(value) >= each[0] * 0.9995]
        size, unit = fitting[-1] if fitting else _SCALES.get(self.unit, ((1, self.unit),))[0]
        number = value / size
        if value == 0:
            unit, number = self.unit, 0
        text = f"{number:,.0f}".replace(",", "\u202f") if abs(number) >= 999.5 else f"{number:.3g}"
        return f"{text}\u00a0{unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Found:
    """What a part of the bench has found."""

    rows: list[Row]
    #: for ``bench.json``: what the plots need
    more: dict[str, Any] = field(default_factory=dict)


def to_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """For ``bench.json``; what is no number, or infinite, is null there."""

    def finite(value: Any) -> Any:
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return [
        {name: finite(value) for name, value in {**asdict(row), "ratio": row.ratio}.items()}
        | {"reached": None if row.told else row.reached}
        for row in rows
    ]


def from_json(row: dict[str, Any]) -> Row:
    """The row that :func:`to_json` wrote."""
    # of a row, only a figure can be null
    kept: dict[str, Any] = {each.name: row[each.name] for each in fields(Row)}
    finite: dict[str, Any] = {name: math.inf if value is None else value for name, value in kept.items()}
    return Row(**finite)


def table(rows: Iterable[Row], title: str) -> Table:
    """For a terminal; the notes stand below it."""
    drawn = Table("work", "ours", "beside", "theirs", "ratio", "reach", "", title=title)
    notes: list[str] = []
    for row in rows:
        mark = ""
        if row.note:
            if row.note not in notes:
                notes.append(row.note)
            mark = f" [{notes.index(row.note) + 1}]"
        style = "bold red" if row.result == "missed" else None
        drawn.add_row(
            # a bracket is markup to rich
            (row.work + mark).replace("[", r"\["),
            row.written(row.value),
            row.beside,
            row.written(row.other) if row.beside else "",
            f"{row.ratio:.3g}" if math.isfinite(row.ratio) else "",
            row.wanted,
            row.result,
            style=style,
        )
    if notes:
        text = "\n".join(f"[{number}] {note}" for number, note in enumerate(notes, 1))
        drawn.caption = text.replace("[", r"\[")
        drawn.caption_justify = "left"
    return drawn
