"""What the bench has written, as tables of the README: ``python -m tests.bench.readme``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tests.bench.rows import Row, from_json

ROOT: Final = Path(__file__).parents[2]
FILES: Final = ("bench.json", "bench_full.json")
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def markdown(found: dict[str, Any], full: dict[str, Any]) -> str:
    """The table, its notes, the same at the sizes of ``FULL=1``, and where the time of a launch goes."""
    rows = [from_json(row) for row in found["rows"]]
    larger = [from_json(row) for row in full["rows"]]
    notes = list(dict.fromkeys(row.note for row in (*rows, *larger) if row.note))
    lines = [
        _host(found, "make bench"),
        "",
        *_table(rows, notes),
        "",
        _host(full, "FULL=1 make bench"),
        "",
        *_table(larger, notes),
        "",
        *(f"<sup>{number}</sup> {note}  " for number, note in enumerate(notes, 1)),
        "",
        "Where the time of a launch goes (medians):",
        "",
        "| seconds | until |",
        "|---|---|",
        *(f"| {seconds:.2f} | {stage} |" for stage, seconds in found["timeline"].items()),
    ]
    return "\n".join(lines)


def _host(found: dict[str, Any], command: str) -> str:
    machine, minutes = found["machine"], found["seconds"]["all"] / 60
    return (
        f"`{command}`, {machine['date']}: {machine['cores']} cores ({machine['processor']}), "
        f"{machine['memory_gib']} GiB, Airflow {machine['airflow']} with LocalExecutor, Python "
        f"{machine['python']}; {minutes:.0f} minutes."
    )


def _table(rows: list[Row], notes: list[str]) -> list[str]:
    head = ["| work | ours | beside | theirs | ratio | to reach | |", "|---|---|---|---|---|---|---|"]
    return [*head, *(_line(row, notes) for row in rows)]


def _line(row: Row, notes: list[str]) -> str:
    mark = f" <sup>{notes.index(row.note) + 1}</sup>" if row.note else ""
    theirs = row.written(row.other) if row.beside else ""
    ratio = f"{row.ratio:.2f}" if row.ratio == row.ratio else ""
    result = f"**{row.result}**" if row.result == "missed" else row.result
    cells = (row.work + mark, row.written(row.value), row.beside, theirs, ratio, row.wanted, result)
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Write it into the README."""
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    table = markdown(*(json.loads((ROOT / "docs" / name).read_text()) for name in FILES))
    readme.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


if __name__ == "__main__":
    main()
