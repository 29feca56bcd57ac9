"""``airflow readiness …``. This module is imported by every ``airflow`` command: imports are inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand, Arg, GroupCommand

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Awaitable, Callable

    import asyncpg

T = TypeVar("T")

_CONN_ID = Arg(
    ("--conn-id",), help="Airflow connection of the Postgres (default: [readiness] postgres_conn_id)"
)
_FLOW = Arg(("flow",), help="DAG id of the flow")
_DATE = Arg(("--date",), required=True, help="business date, YYYY-MM-DD")
_JSON = Arg(("--json",), action="store_true", help="print a JSON object")
_CODES = "Exit code: 0 all is well, 1 degraded, 2 launches do not come, or nothing can be read."
_ROLES = ("writer", "releaser", "reader", "engine")


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
                    (_JSON, ARG_VERBOSE),
                    _CODES,
                ),
                ActionCommand(
                    "repair",
                    "Start one flow that missed its launch, for one date, and nothing else",
                    run_repair,
                    (_FLOW, _DATE, _JSON, ARG_VERBOSE),
                ),
                GroupCommand(
                    name="db",
                    help="The schema 'readiness' in Postgres",
                    subcommands=[
                        ActionCommand("upgrade", "Create it, or bring it up to date", db_upgrade, (_CONN_ID,)),
                        ActionCommand(
                            "status", "Exit code 0 if it is up to date, else 1", db_status, (_CONN_ID,)
                        ),
                        ActionCommand("sql", "Print what upgrade runs on an empty database", db_sql, ()),
                        ActionCommand(
                            "grants",
                            "Print the least rights of each role",
                            db_grants,
                            [
                                Arg(
                                    (f"--{role}",), default=f"readiness_{role}", help=f"name of the {role} role"
                                )
                                for role in _ROLES
                            ],
                        ),
                    ],
                ),
            ],
        )
    ]


def run_doctor(args: Namespace) -> None:
    """Say what is wrong; exit with 1 if the system is degraded, with 2 if it is down."""
    import asyncio

    from airflow_readiness import doctor, health

    found = _quietly(args, lambda: asyncio.run(health.check_deployment()))
    doctor.show(found, as_json=args.json)
    raise SystemExit(found.exit_code)


def run_repair(args: Namespace) -> None:
    """Start one flow for one date; exit with 1 and a reason if it may not be started."""
    from airflow_readiness import repair

    raise SystemExit(_quietly(args, lambda: repair.command(args.flow, args.date, as_json=args.json)))


def _quietly(args: Namespace, work: Callable[[], T]) -> T:
    """What ``work`` returns. Airflow writes its log to stdout, where the answer goes: not unless asked to."""
    from airflow.utils.cli import suppress_logs_and_warning

    answers: list[T] = []
    suppress_logs_and_warning(lambda _args: answers.append(work()))(args)
    return answers[0]


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


def db_upgrade(args: Namespace) -> None:
    """Create the schema, or bring it up to date."""
    from airflow_readiness.store.migrate import upgrade

    applied = _with_connection(args, upgrade)
    print("\n".join(f"applied {name}" for name in applied) or "up to date")


def db_status(args: Namespace) -> None:
    """Say which migrations are there; exit with 1 if one is missing."""
    from airflow_readiness.store import sql
    from airflow_readiness.store.store import applied

    have = set(_with_connection(args, applied))
    for version, name in sql.migrations().items():
        print(f"{'applied' if version in have else 'missing'}  {name}")
    if not have.issuperset(sql.migrations()):
        raise SystemExit(1)


def db_sql(args: Namespace) -> None:
    """Print the whole schema as a script."""
    from airflow_readiness.store import sql
    from airflow_readiness.store.migrate import script

    print(f"begin;\n{script(list(sql.migrations()))}\ncommit;")


def db_grants(args: Namespace) -> None:
    """Print the grants with the names of the roles."""
    from airflow_readiness.store import sql

    text = sql.read("grants.sql")
    for role in _ROLES:
        quoted = getattr(args, role).replace('"', '""')
        text = text.replace(f"{{{role}}}", f'"{quoted}"')
    print(text)
