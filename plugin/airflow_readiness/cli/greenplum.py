"""``airflow readiness greenplum …``: the schema in Greenplum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.cli.cli_config import ActionCommand, GroupCommand

if TYPE_CHECKING:
    from argparse import Namespace


def command() -> GroupCommand:
    """The group."""
    return GroupCommand(
        name="greenplum",
        help="The schema 'readiness' in Greenplum",
        subcommands=[ActionCommand("sql", "Print it, for Greenplum 6 and 7", script, ())],
    )


def script(args: Namespace) -> None:
    """Print the schema as a script."""
    from airflow_readiness.feeds import sql

    print(sql.read(sql.GREENPLUM_SCHEMA))
