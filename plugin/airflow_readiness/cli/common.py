"""What several commands share. Imported by every ``airflow`` command: imports are inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, TypeVar

from airflow.cli.cli_config import Arg

if TYPE_CHECKING:
    import datetime as dt
    from argparse import Namespace
    from collections.abc import Awaitable, Callable

    from airflow_readiness.operating.show import Answer
    from airflow_readiness.store.store import Store

T = TypeVar("T")

JSON = Arg(("--json",), action="store_true", help="print a JSON object")
CONN_ID = Arg(("--conn-id",), help="Airflow connection of the Postgres (default: [readiness] postgres_conn_id)")
FLOW = Arg(("flow",), help="DAG id of the flow")
SOURCE = Arg(("source",), help="database.table")
DATE = Arg(("--date",), required=True, help="business date, YYYY-MM-DD")


def quietly(args: Namespace, work: Callable[[], T]) -> T:
    """What ``work`` returns. Airflow writes its log to stdout, where the answer goes: not unless asked to."""
    from airflow.utils.cli import suppress_logs_and_warning

    answers: list[T] = []
    suppress_logs_and_warning(lambda _args: answers.append(work()))(args)
    return answers[0]


def answer(args: Namespace, work: Callable[[Store], Awaitable[Answer]], *, check: bool = True) -> NoReturn:
    """Print what ``work`` answers, and end with its exit code; 1 if it is refused, 2 if it cannot be done.

    :param check: whether the schema must be there, which not every login may look at
    """
    import json
    import sys

    from airflow_readiness.errors import ReadinessError, Refused
    from airflow_readiness.operating.show import show
    from airflow_readiness.store.store import POSTGRES_DOWN

    try:
        found = quietly(args, lambda: _with_store(args, work, check=check))
    except POSTGRES_DOWN as error:
        says = str(error) or type(error).__name__
        sentence = says if isinstance(error, ReadinessError) else f"Postgres cannot be used: {says}"
        code = 1 if isinstance(error, Refused) else 2
        if args.json:
            print(json.dumps({"error": sentence, "exit_code": code}))
        else:
            print(sentence, file=sys.stderr)
        raise SystemExit(code) from None
    show(found, as_json=args.json)
    raise SystemExit(found.exit_code)


def _with_store(args: Namespace, work: Callable[[Store], Awaitable[T]], *, check: bool) -> T:
    import asyncio
    import dataclasses

    from airflow_readiness import config
    from airflow_readiness.store.store import open_store

    settings = config.load()
    if args.conn_id:
        settings = dataclasses.replace(settings, postgres_conn_id=args.conn_id)
    endpoint = config.postgres_endpoint(settings)

    async def run() -> T:
        async with open_store(endpoint, check=check) as store:
            return await work(store)

    return asyncio.run(run())


def whoami() -> str:
    """The user of this shell, for the audit; Postgres keeps its own login beside it."""
    import getpass
    import os

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # a container whose user has no name
        return f"uid {os.getuid()}"


def optional_date(text: str | None) -> dt.date | None:
    """A date that may have been left out.

    :raises BadDate: if it is none
    """
    from airflow_readiness.core.dates import parse_date

    return parse_date(text) if text else None
