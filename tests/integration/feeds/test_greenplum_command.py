"""``airflow readiness greenplum sql`` prints what a DBA applies there."""

from __future__ import annotations

import argparse

import pytest

from airflow_readiness.cli import get_cli_commands, greenplum
from tests.integration.feeds.conftest import Database


def test_it_prints_a_schema_that_works(capsys: pytest.CaptureFixture[str], outside: Database) -> None:
    greenplum.script(argparse.Namespace())
    outside.execute(capsys.readouterr().out.encode())
    names = outside.execute("select tablename::text from pg_tables where schemaname = 'readiness' order by 1")
    assert [row[0] for row in names] == ["log_setting", "processed_log", "source_log_data", "sync_state"]


def test_it_is_a_command() -> None:
    (readiness,) = get_cli_commands()
    (group,) = (each for each in readiness.subcommands if each.name == "greenplum")
    assert [command.name for command in group.subcommands] == ["sql"]
