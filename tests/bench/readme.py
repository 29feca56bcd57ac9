"""The table of ``docs/bench.json`` as the README has it: ``python -m tests.bench.readme``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tests.bench.rows import Row, from_json

ROOT: Final = Path(__file__).parents[2]
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def markdown(found: dict[str, Any]) -> str:
    """The table, its notes, and where the time of a launch goes."""
    rows = [from_json(row) for row in found["rows"]]
    notes = list(dict.fromkeys(row.note for row in rows if row.note))
    machine, minutes = found["machine"], found["seconds"]["all"] / 60
    host = (
        f"`make bench`, {machine['date']}: {machine['cores']} cores ({machine['processor']}), "
        f"{machine['memory_gib']} GiB, Airflow {machine['airflow']} with LocalExecutor, Python "
        f"{machine['python']}; {minutes:.0f} minutes."
    )
    lines = [
        host,
        "",
        "| work | ours | beside | theirs | ratio | to reach | |",
        "|---|---|---|---|---|---|---|",
        *(_line(row, notes) for row in rows),
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
    table = markdown(json.loads((ROOT / "docs" / "bench.json").read_text()))
    readme.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


if __name__ == "__main__":
    main()
