"""``airflow readiness db …``: the schema in Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Awaitable, Callable

    import asyncpg

_CONN_ID = Arg(
    ("--conn-id",), help="Airflow connection of the Postgres (default: [readiness] postgres_conn_id)"
)
_ROLES = ("writer", "releaser", "reader", "engine", "feeder")


def command() -> GroupCommand:
    """The group."""
    roles = [
        Arg((f"--{role}",), default=f"readiness_{role}", help=f"name of the {role} role") for role in _ROLES
    ]
    return GroupCommand(
        name="db",
        help="The schema 'readiness' in Postgres",
        subcommands=[
            ActionCommand("upgrade", "Create it, or bring it up to date", upgrade, (_CONN_ID,)),
            ActionCommand("status", "Exit code 0 if it is up to date, else 1", status, (_CONN_ID,)),
            ActionCommand("sql", "Print what upgrade runs on an empty database", script, ()),
            ActionCommand("grants", "Print the least rights of each role", grants, roles),
        ],
    )


def _with_connection(args: Namespace, work: Callable[[asyncpg.Connection], Awaitable[Any]]) -> Any:
    import asyncio
    import dataclasses

    from airflow_readiness import config
    from airflow_readiness.errors import ReadinessError
    from airflow_readiness.store.store import POSTGRES_DOWN, open_store

    async def run() -> Any:
        settings = config.load()
        if args.conn_id:
            settings = dataclasses.replace(settings, postgres_conn_id=args.conn_id)
        async with open_store(config.postgres_endpoint(settings), check=False) as store:
            return await work(store.connection)

    try:
        return asyncio.run(run())
    except ReadinessError as error:
        raise SystemExit(str(error)) from error
    except POSTGRES_DOWN as error:
        raise SystemExit(f"Postgres cannot be used: {error}") from error


def upgrade(args: Namespace) -> None:
    """Create the schema, or bring it up to date."""
    from airflow_readiness.store import migrate

    applied = _with_connection(args, migrate.upgrade)
    print("\n".join(f"applied {name}" for name in applied) or "up to date")


def status(args: Namespace) -> None:
    """Say which migrations are there; exit with 1 if one is missing."""
    from airflow_readiness.store import sql
    from airflow_readiness.store.store import applied

    have = set(_with_connection(args, applied))
    for version, name in sql.migrations().items():
        print(f"{'applied' if version in have else 'missing'}  {name}")
    if not have.issuperset(sql.migrations()):
        raise SystemExit(1)


def script(args: Namespace) -> None:
    """Print the whole schema as a script."""
    from airflow_readiness.store import migrate, sql

    print(f"begin;\n{migrate.script(list(sql.migrations()))}\ncommit;")


def grants(args: Namespace) -> None:
    """Print the grants with the names of the roles."""
    from airflow_readiness.store import sql

    text = sql.read("grants.sql")
    for role in _ROLES:
        quoted = getattr(args, role).replace('"', '""')
        text = text.replace(f"{{{role}}}", f'"{quoted}"')
    print(text)
