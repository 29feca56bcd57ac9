"""``airflow readiness …``. Imported by every ``airflow`` command: imports are inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand, Arg, GroupCommand

from airflow_readiness.cli import db, dbt, greenplum, settings
from airflow_readiness.cli.common import JSON, quietly

if TYPE_CHECKING:
    from argparse import Namespace

_FLOW = Arg(("flow",), help="DAG id of the flow")
_DATE = Arg(("--date",), required=True, help="business date, YYYY-MM-DD")
_CODES = "Exit code: 0 all is well, 1 degraded, 2 launches do not come, or nothing can be read."


def get_cli_commands() -> list[GroupCommand]:
    """The commands, as the provider's metadata names them."""
    return [
        GroupCommand(
            name="readiness",
            help="Start flows when their sources are ready",
            subcommands=[
                ActionCommand(
                    "doctor",
                    "What is wrong, and what to do; exit code 0, 1 or 2",
                    run_doctor,
                    (JSON, ARG_VERBOSE),
                    _CODES,
                ),
                ActionCommand(
                    "repair",
                    "Start one flow that missed its launch, for one date, and nothing else",
                    run_repair,
                    (_FLOW, _DATE, JSON, ARG_VERBOSE),
                ),
                db.command(),
                dbt.command(),
                settings.command(),
                greenplum.command(),
            ],
        )
    ]


def run_doctor(args: Namespace) -> None:
    """Say what is wrong; exit with 1 if the system is degraded, with 2 if it is down."""
    import asyncio

    from airflow_readiness import doctor, health

    found = quietly(args, lambda: asyncio.run(health.check_deployment()))
    doctor.show(found, as_json=args.json)
    raise SystemExit(found.exit_code)


def run_repair(args: Namespace) -> None:
    """Start one flow for one date; exit with 1 and a reason if it may not be started."""
    from airflow_readiness import repair

    raise SystemExit(quietly(args, lambda: repair.command(args.flow, args.date, as_json=args.json)))
