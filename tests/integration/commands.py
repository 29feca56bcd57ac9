"""Runs ``airflow readiness …`` as Airflow does: the parser's arguments, then the function."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest
from airflow.cli.cli_config import ActionCommand, GroupCommand

from airflow_readiness import cli


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed with ``--json``; its exit code is in it."""
        value = json.loads(self.out)
        assert value["exit_code"] == self.code
        return value


Command: TypeAlias = Callable[..., Awaitable[Ran]]


def parse(*arguments: str) -> argparse.Namespace:
    """The arguments of ``airflow readiness …``."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    (group,) = cli.get_cli_commands()
    assert isinstance(group, GroupCommand)
    for command in group.subcommands:
        if isinstance(command, ActionCommand):
            made = commands.add_parser(command.name)
            for arg in command.args:
                arg.add_to_parser(made)
            made.set_defaults(func=command.func)
    return parser.parse_args(arguments)


def runner(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in a thread, where it has a loop of its own."""

    def work(args: argparse.Namespace) -> int:
        try:
            args.func(args)
        except SystemExit as ended:
            assert isinstance(ended.code, int)
            return ended.code
        return 0

    async def run(*arguments: str) -> Ran:
        args = parse(*arguments)
        capsys.readouterr()
        code = await asyncio.to_thread(work, args)
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return run
