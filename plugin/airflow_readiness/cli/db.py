"""``airflow readiness db …``: the schema in Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

from airflow_readiness.cli.common import CONN_ID, JSON, fail

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Awaitable, Callable

    import asyncpg

_CODES = "Exit code: 0 it is up to date; 1 a migration is missing; 2 it cannot be read or changed."
#: Who gets rights of their own.
ROLES = ("writer", "releaser", "operator", "reader", "engine", "feeder")


def command() -> GroupCommand:
    """The group."""
    roles = [
        Arg((f"--{role}",), default=f"readiness_{role}", help=f"name of the {role} role") for role in ROLES
    ]
    return GroupCommand(
        name="db",
        help="The schema 'readiness' in Postgres",
        subcommands=[
            ActionCommand("upgrade", "Create it, or bring it up to date", upgrade, (CONN_ID, JSON), _CODES),
            ActionCommand("status", "Whether it is up to date", status, (CONN_ID, JSON), _CODES),
            ActionCommand("sql", "Print what upgrade runs on an empty database", script, ()),
            ActionCommand("grants", "Print the least rights of each role", grants, roles),
        ],
    )


def _with_connection(args: Namespace, work: Callable[[asyncpg.Connection], Awaitable[Any]]) -> Any:
    import asyncio
    import dataclasses

    from airflow_readiness import config
    from airflow_readiness.store.store import POSTGRES_DOWN, open_store

    async def run() -> Any:
        settings = config.load()
        if args.conn_id:
            settings = dataclasses.replace(settings, postgres_conn_id=args.conn_id)
        async with open_store(config.postgres_endpoint(settings), check=False) as store:
            return await work(store.connection)

    try:
        return asyncio.run(run())
    except POSTGRES_DOWN as error:
        fail(error, as_json=args.json)


def upgrade(args: Namespace) -> None:
    """Create the schema, or bring it up to date."""
    import json

    from airflow_readiness.store import migrate

    applied = _with_connection(args, migrate.upgrade)
    if args.json:
        print(json.dumps({"applied": list(applied), "exit_code": 0}))
    else:
        print("\n".join(f"applied {name}" for name in applied) or "up to date")


def status(args: Namespace) -> None:
    """Say which migrations are there; exit with 1 if one is missing."""
    import json

    from airflow_readiness.store import sql
    from airflow_readiness.store.store import applied

    have = set(_with_connection(args, applied))
    found = {name: "applied" if version in have else "missing" for version, name in sql.migrations().items()}
    code = int("missing" in found.values())
    if args.json:
        print(json.dumps({"migrations": found, "exit_code": code}))
    else:
        print(*(f"{state}  {name}" for name, state in found.items()), sep="\n")
    if code:
        raise SystemExit(code)


def script(args: Namespace) -> None:
    """Print the whole schema as a script."""
    from airflow_readiness.store import migrate, sql

    print(f"begin;\n{migrate.script(list(sql.migrations()))}\ncommit;")


def grants(args: Namespace) -> None:
    """Print the grants with the names of the roles."""
    from airflow_readiness.store import sql

    text = sql.read("grants.sql")
    for role in ROLES:
        quoted = getattr(args, role).replace('"', '""')
        text = text.replace(f"{{{role}}}", f'"{quoted}"')
    print(text)
