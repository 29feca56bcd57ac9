"""Progress bars: on a terminal, on stderr, and nowhere else."""

from __future__ import annotations

import sys

import pytest

from airflow_readiness.cli.progress import bars


def work() -> None:
    with bars() as progress:
        for done in range(4):
            progress("judging", done, 3)
        progress("starting", 1, 1)


def test_a_terminal_gets_a_bar_for_each_part(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    work()
    printed = capsys.readouterr()
    assert printed.out == "", "stdout is for the answer"
    assert "judging" in printed.err
    assert "starting" in printed.err
    assert "100%" in printed.err


def test_a_log_file_gets_none(capsys: pytest.CaptureFixture[str]) -> None:
    work()
    assert capsys.readouterr() == ("", "")
