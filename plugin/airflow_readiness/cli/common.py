"""What several commands share. Imported by every ``airflow`` command: imports are inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from airflow.cli.cli_config import Arg

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

T = TypeVar("T")

JSON = Arg(("--json",), action="store_true", help="print a JSON object")


def quietly(args: Namespace, work: Callable[[], T]) -> T:
    """What ``work`` returns. Airflow writes its log to stdout, where the answer goes: not unless asked to."""
    from airflow.utils.cli import suppress_logs_and_warning

    answers: list[T] = []
    suppress_logs_and_warning(lambda _args: answers.append(work()))(args)
    return answers[0]
