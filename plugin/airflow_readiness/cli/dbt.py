"""``airflow readiness dbt …``: what a flow on dbt models waits for, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand, Arg, GroupCommand

from airflow_readiness.cli.common import JSON, quietly

if TYPE_CHECKING:
    from argparse import Namespace

    from airflow_readiness.dbt_project.reach import Reach

_MANIFEST = Arg(("manifest",), help="target/manifest.json, as 'dbt parse' writes it")
_SELECT = Arg(("-s", "--select"), nargs="+", help="as for dbt: names, tag:… and + (default: the whole project)")
_EXCLUDE = Arg(("--exclude",), nargs="+", help="the same, taken away again")
_LS = Arg(("--ls",), help="a file made by 'dbt ls --quiet --output json --select …', for any other selection")


def command() -> GroupCommand:
    """The group."""
    return GroupCommand(
        name="dbt",
        help="Flows that wait for the sources of dbt models",
        subcommands=[
            ActionCommand(
                "explain",
                "Show the sources that the selected models read, and which log each is waited for by",
                explain,
                (_MANIFEST, _SELECT, _EXCLUDE, _LS, JSON, ARG_VERBOSE),
                "Exit code: 0 if a flow can wait for this selection, else 1.",
            )
        ],
    )


def explain(args: Namespace) -> None:
    """Print the table; exit with 1 and the reason if no flow can wait for this selection."""
    from pathlib import Path

    from airflow_readiness.dbt_project.reach import reach
    from airflow_readiness.dbt_project.selection import selection
    from airflow_readiness.errors import BadInput

    try:
        chosen = selection(args.select, args.exclude, Path(args.ls) if args.ls else None)
        found = quietly(args, lambda: reach(Path(args.manifest), chosen, patience=5))
    except BadInput as error:
        raise SystemExit(str(error)) from error
    problem = found.problem(chosen)
    if args.json:
        import json

        print(json.dumps(_to_json(found), indent=2))
    else:
        _show(found, usable=problem is None)
    if problem:
        raise SystemExit(str(problem))


def _rows(found: Reach) -> list[tuple[str, str, str, str]]:
    """Source, who reads it, its log, the rule."""
    return [
        (
            each.label,
            ", ".join(each.read_by),
            (each.log.name or "-") if each.log else "?",
            each.log.rule.value if each.log else each.problem,
        )
        for each in found.sources
    ]


def _show(found: Reach, *, usable: bool) -> None:
    """A table on a terminal, tabs into a pipe."""
    import sys

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not sys.stdout.isatty():
        for row in _rows(found):
            print("\t".join(row))
    else:
        table = Table("dbt source", "read by", "waits for", "by")
        for row in _rows(found):
            table.add_row(*(Text(cell) for cell in row))
        Console().print(table)
    if usable:
        print("ready when all are:", " & ".join(found.names))
    if found.outside:
        print("read, but not in the selection, so not waited for:", ", ".join(found.outside))


def _to_json(found: Reach) -> dict[str, Any]:
    return {
        "models": found.models,
        "sources": [
            {
                "unique_id": each.unique_id,
                "source": each.label,
                "read_by": each.read_by,
                "name": each.log.name if each.log else None,
                "rule": each.log.rule.value if each.log else None,
                "problem": each.problem or None,
            }
            for each in found.sources
        ],
        "waits_for": found.names,
        "outside": found.outside,
    }
