"""``airflow readiness doctor``: is everything well, and if not, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand

from airflow_readiness.cli.common import JSON, quietly

if TYPE_CHECKING:
    from argparse import Namespace


def command() -> ActionCommand:
    """The command."""
    return ActionCommand(
        "doctor",
        "What is wrong, and what to do; exit code 0, 1 or 2",
        run_doctor,
        (JSON, ARG_VERBOSE),
        "Exit code: 0 all is well, 1 degraded, 2 launches do not come, or nothing can be read.",
    )


def run_doctor(args: Namespace) -> None:
    """Say what is wrong; exit with 1 if the system is degraded, with 2 if it is down."""
    import asyncio

    from airflow_readiness import doctor, health

    found = quietly(args, lambda: asyncio.run(health.check_deployment()))
    doctor.show(found, as_json=args.json)
    raise SystemExit(found.exit_code)
