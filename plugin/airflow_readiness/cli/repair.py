"""``airflow readiness repair``: one flow that missed its launch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand

from airflow_readiness.cli.common import DATE, FLOW, JSON, quietly

if TYPE_CHECKING:
    from argparse import Namespace


def command() -> ActionCommand:
    """The command."""
    return ActionCommand(
        "repair",
        "Start one flow that missed its launch, for one date, and nothing else",
        run_repair,
        (FLOW, DATE, JSON, ARG_VERBOSE),
        "Exit code: 0 started; 1 refused, with the reason; 2 it cannot be done. It needs Airflow's database.",
    )


def run_repair(args: Namespace) -> None:
    """Start one flow for one date."""
    from airflow_readiness import repair

    raise SystemExit(quietly(args, lambda: repair.command(args.flow, args.date, as_json=args.json)))
