"""``airflow readiness doctor``: the health, for people and for scripts."""

from __future__ import annotations

import json
import sys
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from airflow_readiness.diagnosis import Health

_COLOUR: Final = {"down": "red", "degraded": "yellow", "info": "cyan"}
_VERDICT: Final = ("All is well.", "Degraded.", "Down: launches do not come, or nothing can be read.")


def show(health: Health, *, as_json: bool) -> None:
    """Print it: a table on a terminal, plain lines into a pipe, or JSON."""
    if as_json:
        print(json.dumps(health.to_json(), indent=2))
    elif sys.stdout.isatty():
        _table(health)
    else:
        _lines(health)


def _lines(health: Health) -> None:
    for part in health.parts:
        print(f"{part.name}: {part.says}")
    for problem in health.problems:
        print(f"{problem.severity.upper()} {problem.part}: {problem.what}\n  -> {problem.remedy}")
    print(_VERDICT[health.exit_code])


def _table(health: Health) -> None:
    console = Console()
    parts = Table(show_header=False, box=None)
    for part in health.parts:
        parts.add_row(part.name, Text(part.says))
    console.print(parts)
    if health.problems:
        problems = Table("", "part", "what is wrong", "what to do", show_lines=True)
        for each in health.problems:
            severity = Text(each.severity, style=_COLOUR[each.severity])
            # as it is: a bracket in a message is no markup
            problems.add_row(severity, each.part, Text(each.what), Text(each.remedy))
        console.print(problems)
    console.print(_VERDICT[health.exit_code])
