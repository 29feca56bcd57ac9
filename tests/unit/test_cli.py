"""The command line: what each command is told by, and what it prints."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from airflow.cli.cli_config import ActionCommand, GroupCommand

from airflow_readiness import cli
from airflow_readiness.cli.common import whoami
from airflow_readiness.core.clock import Clock
from airflow_readiness.operating.by_hand import instant
from airflow_readiness.operating.show import Grid, show

HEAVY = ("asyncpg", "redis", "rich", "pendulum")
DAY = dt.date(2026, 11, 22)
ZONE = "Europe/Berlin"


def actions() -> dict[str, ActionCommand]:
    (group,) = cli.get_cli_commands()
    assert isinstance(group, GroupCommand)
    return {each.name: each for each in group.subcommands if isinstance(each, ActionCommand)}


@pytest.mark.parametrize(
    "name", ["status", "why", "report", "mark-ready", "skip", "extend", "rerun", "backfill", "prune", "doctor"]
)
def test_each_command_tells_its_exit_codes_and_has_json(name: str) -> None:
    command = actions()[name]
    assert "xit code" in str(command.description) + command.help
    assert any("--json" in arg.flags for arg in command.args)


def test_the_commands_of_airflow_do_not_wait_for_ours() -> None:
    script = "import sys, airflow_readiness.cli as cli; cli.get_cli_commands(); print(*sys.modules)"
    without = subprocess.run(
        [sys.executable, "-c", "import sys, airflow.cli.cli_config; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    ours = set(found.stdout.split()) - set(without)
    assert not {name for name in ours if name.partition(".")[0] in HEAVY}
    assert "airflow_readiness.operating" not in ours


def test_there_is_always_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    import getpass

    monkeypatch.setattr(getpass, "getuser", lambda: "eve")
    assert whoami() == "eve"

    def nobody() -> str:
        raise OSError("no such user")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert whoami().startswith("uid ")


def test_instants_are_told_on_the_clock_of_the_deployment() -> None:
    at = dt.datetime(2026, 11, 22, 5, 30, tzinfo=dt.timezone.utc)
    clock = Clock(ZONE, dt.datetime(2026, 11, 21, 23, 30, tzinfo=dt.timezone.utc))
    assert clock.today == DAY
    assert clock.tell(at, DAY) == "06:30"
    assert clock.tell(at, DAY - dt.timedelta(days=1)) == clock.tell(at) == "2026-11-22 06:30"


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("06:30", "2026-11-22T05:30:00+00:00"),
        ("6:05", "2026-11-22T05:05:00+00:00"),
        ("2026-11-22T07:30:00+01:00", "2026-11-22T06:30:00+00:00"),
        ("2026-11-22T07:30Z", "2026-11-22T07:30:00+00:00"),
    ],
)
def test_a_deadline_is_a_time_of_the_clock_or_an_instant(text: str, utc: str) -> None:
    assert instant(text, DAY, ZONE) == dt.datetime.fromisoformat(utc)


@dataclass(frozen=True)
class Answer:
    exit_code: int = 1

    def to_json(self) -> dict[str, Any]:
        return {"name": "[bold]"}

    def parts(self) -> Iterator[str | Grid]:
        yield "a [bold] sentence"
        yield Grid(("one", "two"), [("1", "[red]"), ("3", "4")], ["green", ""])


def test_an_answer_is_a_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    show(Answer(), as_json=True)
    assert json.loads(capsys.readouterr().out) == {"name": "[bold]", "exit_code": 1}


def test_an_answer_into_a_pipe_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    show(Answer(), as_json=False)
    assert capsys.readouterr().out == "a [bold] sentence\none\ttwo\n1\t[red]\n3\t4\n"


def test_an_answer_on_a_terminal_is_a_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show(Answer(), as_json=False)
    printed = capsys.readouterr().out
    assert "a [bold] sentence" in printed
    assert "[red]" in printed
    assert "┃" in printed
