"""``airflow readiness status`` and ``airflow readiness why``: looking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand, Arg

from airflow_readiness.cli.common import CONN_ID, FLOW, JSON, answer, optional_date
from airflow_readiness.core.shown import CHOICES

if TYPE_CHECKING:
    from argparse import Namespace

    from airflow_readiness.operating.show import Answer
    from airflow_readiness.store.store import Store


def commands() -> list[ActionCommand]:
    """Both."""
    return [
        ActionCommand(
            "status",
            "How the sources stand: today's, and whatever is unmet",
            run_status,
            (
                Arg(("--date",), help="business date, YYYY-MM-DD (default: today, and everything unmet)"),
                Arg(("--state",), action="append", choices=CHOICES, help="only these; may be repeated"),
                Arg(("--source",), action="append", help="only these; * and ? stand for anything"),
                CONN_ID,
                JSON,
                ARG_VERBOSE,
            ),
            "Exit code: 0 each source shown is ready, late or skipped; 1 one is not, or there is none; "
            "2 it cannot be read.",
        ),
        ActionCommand(
            "why",
            "What a flow waits for, and what it would take; or by what it was launched",
            run_why,
            (
                FLOW,
                Arg(("--date",), help="business date, YYYY-MM-DD (default: today)"),
                CONN_ID,
                JSON,
                ARG_VERBOSE,
            ),
            "Exit code: 0 launched; 1 not launched, or held; 2 there is no such flow, or nothing can be read.",
        ),
    ]


def run_status(args: Namespace) -> None:
    """Print the sources."""

    async def work(store: Store) -> Answer:
        from airflow_readiness.operating.status import status

        return await status(store, optional_date(args.date), args.state or (), args.source or ())

    answer(args, work)


def run_why(args: Namespace) -> None:
    """Print what there is to say of a flow."""

    async def work(store: Store) -> Answer:
        from airflow_readiness import health
        from airflow_readiness.operating.why import why

        return await why(store, args.flow, optional_date(args.date), health.check_deployment)

    answer(args, work)
