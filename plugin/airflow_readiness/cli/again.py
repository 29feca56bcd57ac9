"""``airflow readiness rerun | backfill``: starting flows again, or for the past."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand, Arg

from airflow_readiness.cli.common import CONN_ID, DATE, FLOW, JSON, answer, whoami
from airflow_readiness.cli.progress import bars

if TYPE_CHECKING:
    from argparse import Namespace

    from airflow_readiness.operating.show import Answer
    from airflow_readiness.store.store import Store

_REASON = Arg(("--reason",), help="why; it is kept in readiness.audit, with your name")


def commands() -> list[ActionCommand]:
    """Both."""
    shared = (_REASON, CONN_ID, JSON, ARG_VERBOSE)
    return [
        ActionCommand(
            "rerun",
            "One more run of one flow for a date that it has a run for",
            run_rerun,
            (FLOW, DATE, *shared),
            "Exit code: 0 started; 1 refused, with the reason; 2 it cannot be done. "
            "It needs Airflow's database.",
        ),
        ActionCommand(
            "backfill",
            "Start one flow for the past dates for which its sources are there",
            run_backfill,
            (
                FLOW,
                Arg(("--from",), required=True, dest="first", help="first business date, YYYY-MM-DD"),
                Arg(("--to",), required=True, dest="last", help="last business date, YYYY-MM-DD"),
                Arg(
                    ("--missing-too",), action="store_true", help="also the dates for which a source is missing"
                ),
                Arg(("--all-flows",), action="store_true", help="start every flow on the same condition"),
                *shared,
            ),
            "A date for which the flow has a run is left alone. Exit code: 0 each date has a run or gets it; "
            "1 refused, or a source is missing for some date; 2 it cannot be done. "
            "It needs Airflow's database.",
        ),
    ]


def run_rerun(args: Namespace) -> None:
    """Start one flow again."""

    async def work(store: Store) -> Answer:
        from airflow_readiness.core.dates import parse_date

        day = parse_date(args.date)
        # the models of Airflow: not for a typing error
        from airflow_readiness.airflow_metadata import look, start_again
        from airflow_readiness.operating.rerun import rerun

        return await rerun(store, look, start_again, args.flow, day, args.reason, whoami())

    answer(args, work)


def run_backfill(args: Namespace) -> None:
    """Start one flow for the past."""

    async def work(store: Store) -> Answer:
        from airflow_readiness.core.dates import parse_date
        from airflow_readiness.operating.backfill import Wish, backfill

        wish = Wish(
            args.flow,
            parse_date(args.first),
            parse_date(args.last),
            whoami(),
            args.reason,
            missing_too=args.missing_too,
            all_flows=args.all_flows,
        )
        from airflow_readiness.airflow_metadata import look

        with bars() as progress:
            return await backfill(store, look, wish, progress)

    answer(args, work)
