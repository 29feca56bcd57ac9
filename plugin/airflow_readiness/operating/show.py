"""Prints an answer: tables on a terminal, plain lines into a pipe, or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: its columns, and rows of as many cells."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    #: row → colour
    colours: Sequence[str] = ()


class Answer(Protocol):
    """What a command found or did."""

    @property
    def exit_code(self) -> int:
        """What the command ends with."""

    def to_json(self) -> dict[str, Any]:
        """The same for scripts: instants are ISO 8601, in UTC."""

    def parts(self) -> Iterable[str | Grid]:
        """The same for people: sentences and tables."""


def show(answer: Answer, *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        print(json.dumps({**answer.to_json(), "exit_code": answer.exit_code}, indent=2))
    elif sys.stdout.isatty():
        _on_terminal(answer)
    else:
        _lines(answer)


def _lines(answer: Answer) -> None:
    for part in answer.parts():
        if isinstance(part, Grid):
            # a tab between two cells: cut, awk and sort take it as it is
            print(*("\t".join(row) for row in (part.columns, *part.rows)), sep="\n")
        else:
            print(part)


def _on_terminal(answer: Answer) -> None:
    console = Console()
    for part in answer.parts():
        if not isinstance(part, Grid):
            # as it is: a bracket in a name is no markup
            console.print(Text(part))
            continue
        table = Table(*part.columns)
        for number, row in enumerate(part.rows):
            table.add_row(*map(Text, row), style=part.colours[number] if part.colours else None)
        console.print(table)
