"""``airflow readiness prune``: retention."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand, Arg

from airflow_readiness.cli.common import CONN_ID, JSON, answer
from airflow_readiness.cli.progress import bars

if TYPE_CHECKING:
    from argparse import Namespace

    from airflow_readiness.operating.show import Answer
    from airflow_readiness.store.store import Store


def command() -> ActionCommand:
    """The command."""
    return ActionCommand(
        "prune",
        "Delete what is old and has come to its end; daily arrivals are kept longer",
        run_prune,
        (
            Arg(("--keep-days",), type=int, default=180, help="days to keep, 35 at least (default: 180)"),
            Arg(
                ("--keep-arrivals",), type=int, default=1100, help="the same of daily arrivals (default: 1100)"
            ),
            Arg(("--dry-run",), action="store_true", help="only count"),
            CONN_ID,
            JSON,
            ARG_VERBOSE,
        ),
        "It may be stopped at any time, and started again. Exit code: 0 done; 2 it cannot be done.",
    )


def run_prune(args: Namespace) -> None:
    """Delete, batch by batch."""

    async def work(store: Store) -> Answer:
        from airflow_readiness.operating.prune import prune

        with bars() as progress:
            return await prune(
                store, args.keep_days, args.keep_arrivals, dry_run=args.dry_run, progress=progress
            )

    answer(args, work)
