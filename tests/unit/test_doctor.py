"""What ``airflow readiness doctor`` prints, and which arguments the commands take."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys

import pytest
from airflow.cli.cli_config import ActionCommand, GroupCommand

from airflow_readiness import cli, doctor, health, repair
from airflow_readiness.diagnosis import Health, Part, Problem

FOUND = Health(
    dt.datetime(2026, 11, 22, tzinfo=dt.timezone.utc),
    (Problem("redis", "degraded", "no [bold] events", "set notify-keyspace-events"),),
    (Part("postgres", "answers"), Part("redis", "does not answer")),
)


def parse(*arguments: str) -> argparse.Namespace:
    """As ``airflow readiness …`` parses them."""
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


def test_into_a_pipe_it_prints_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    doctor.show(FOUND, as_json=False)
    assert capsys.readouterr().out == (
        "postgres: answers\n"
        "redis: does not answer\n"
        "DEGRADED redis: no [bold] events\n"
        "  -> set notify-keyspace-events\n"
        "Degraded.\n"
    )


def test_on_a_terminal_it_prints_a_table_that_says_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    doctor.show(FOUND, as_json=False)
    printed = capsys.readouterr().out
    for text in (
        "does not answer",
        "no [bold] events",
        "set notify-keyspace-events",
        "what to do",
        "Degraded.",
    ):
        assert text in printed


@pytest.mark.parametrize("severity", ["info", "degraded", "down"])
def test_the_command_ends_with_the_exit_code_and_its_json_is_all_it_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, severity: str
) -> None:
    found = Health(FOUND.checked_at, (Problem("redis", severity, "w", "r"),), ())  # type: ignore[arg-type]

    async def checked() -> Health:
        return found

    monkeypatch.setattr(health, "check_deployment", checked)
    args = parse("doctor", "--json")
    with pytest.raises(SystemExit) as ended:
        args.func(args)
    assert ended.value.code == found.exit_code
    assert json.loads(capsys.readouterr().out) == found.to_json()


def test_repair_wants_a_flow_and_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, bool]] = []

    def command(flow: str, date: str, *, as_json: bool) -> int:
        asked.append((flow, date, as_json))
        return 0

    monkeypatch.setattr(repair, "command", command)
    args = parse("repair", "sales", "--date", "2026-11-22", "--json")
    with pytest.raises(SystemExit) as ended:
        args.func(args)
    assert ended.value.code == 0
    assert asked == [("sales", "2026-11-22", True)]
    for arguments in (["repair", "sales"], ["repair", "--date", "2026-11-22"]):
        with pytest.raises(SystemExit) as ended:
            parse(*arguments)
        assert ended.value.code == 2


@pytest.mark.parametrize("date", ["22.11.2026", "2026-02-30", "today", ""])
def test_a_bad_date_is_refused_in_one_sentence(date: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert repair.command("sales", date, as_json=False) == 2
    printed = capsys.readouterr()
    assert printed.err == f"{date!r} is not a business date: write it as YYYY-MM-DD\n"
    assert repair.command("sales", date, as_json=True) == 2
    answer = json.loads(capsys.readouterr().out)
    assert (answer["run_id"], answer["refused"]) == (None, printed.err.strip())
