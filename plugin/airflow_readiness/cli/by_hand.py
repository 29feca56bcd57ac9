"""``airflow readiness report | mark-ready | skip | extend``: saying something of a source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand, Arg

from airflow_readiness.cli.common import CONN_ID, DATE, JSON, SOURCE, answer, optional_date, whoami

if TYPE_CHECKING:
    from argparse import Namespace

    from airflow_readiness.operating.show import Answer
    from airflow_readiness.store.store import Store

_REASON = Arg(("--reason",), required=True, help="why; it is kept in readiness.audit, with your name")
_CODES = (
    "Exit code: 0 it is so, from now on or since before; 1 refused, nothing was changed; 2 it cannot be done."
)


def commands() -> list[ActionCommand]:
    """All four."""
    shared = (CONN_ID, JSON, ARG_VERBOSE)
    return [
        ActionCommand(
            "report",
            "Report a source log, as any log writer does",
            run_report,
            (
                SOURCE,
                Arg(("--date",), help="business date, YYYY-MM-DD (default: the one whose window is open)"),
                Arg(("--rows",), type=int, help="number of rows loaded"),
                Arg(("--load-id",), help="the same id twice is one log (default: a new one)"),
                *shared,
            ),
            "Exit code: 0 written; 2 it cannot be done. It needs a login with the rights of a log writer.",
        ),
        ActionCommand(
            "mark-ready",
            "By hand: a source counts as ready for a date",
            run_mark_ready,
            (SOURCE, DATE, _REASON, *shared),
            _CODES,
        ),
        ActionCommand(
            "skip",
            "By hand: a source is not waited for on a date",
            run_skip,
            (SOURCE, DATE, _REASON, *shared),
            _CODES,
        ),
        ActionCommand(
            "extend",
            "By hand: another deadline of a source for one date",
            run_extend,
            (
                SOURCE,
                DATE,
                Arg(("--to",), required=True, help="HH:MM on that date, or an instant 2026-11-22T07:30+01:00"),
                _REASON,
                *shared,
            ),
            _CODES,
        ),
    ]


def run_report(args: Namespace) -> None:
    """Insert a log row."""

    async def work(store: Store) -> Answer:
        from airflow_readiness.operating.report import report

        return await report(store, args.source, optional_date(args.date), args.rows, args.load_id)

    # a log writer may not look at the schema
    answer(args, work, check=False)


def run_mark_ready(args: Namespace) -> None:
    """The source counts as ready."""
    _say(args, "mark-ready")


def run_skip(args: Namespace) -> None:
    """The source is not waited for."""
    _say(args, "skip")


def _say(args: Namespace, action: Literal["mark-ready", "skip"]) -> None:
    async def work(store: Store) -> Answer:
        from airflow_readiness.operating.by_hand import say

        return await say(store, action, args.source, args.date, args.reason, whoami())

    answer(args, work)


def run_extend(args: Namespace) -> None:
    """Another deadline."""

    async def work(store: Store) -> Answer:
        from airflow_readiness.operating.by_hand import extend

        return await extend(store, args.source, args.date, args.to, args.reason, whoami())

    answer(args, work)
