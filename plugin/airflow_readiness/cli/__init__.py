"""``airflow readiness …``. Imported by every ``airflow`` command: imports are inside."""

from __future__ import annotations

from airflow.cli.cli_config import GroupCommand

from airflow_readiness.cli import again, by_hand, db, dbt, doctor, greenplum, prune, repair, settings, status


def get_cli_commands() -> list[GroupCommand]:
    """The commands, as the provider's metadata names them."""
    return [
        GroupCommand(
            name="readiness",
            help="Start flows when their sources are ready",
            subcommands=[
                *status.commands(),
                *by_hand.commands(),
                *again.commands(),
                prune.command(),
                doctor.command(),
                repair.command(),
                db.command(),
                dbt.command(),
                settings.command(),
                greenplum.command(),
            ],
        )
    ]
