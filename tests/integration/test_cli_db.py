"""``airflow readiness db …``: the functions, and once the real command."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from airflow_readiness.cli import db
from airflow_readiness.store import sql

CONNECTION = "AIRFLOW_CONN_READINESS_POSTGRES"
NO_OPTIONS = argparse.Namespace(conn_id=None)


@pytest.fixture
def connection(empty_dsn: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> str:
    """The Airflow connection to an empty database, in the environment."""
    fields = {"host": empty_dsn["host"], "login": empty_dsn["user"], "schema": empty_dsn["database"]}
    value = json.dumps({"conn_type": "postgres", **fields})
    monkeypatch.setenv(CONNECTION, value)
    return value


@pytest.fixture
def airflow(tmp_path: Path, connection: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the real command, with a home of its own."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        # nothing of the shell's own Airflow
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        return subprocess.run(
            [str(Path(sys.executable).parent / "airflow"), "readiness", "db", *arguments],
            env={**clean, "AIRFLOW_HOME": str(tmp_path), CONNECTION: connection},
            capture_output=True,
            text=True,
            timeout=100,
        )

    return run


async def relations(dsn: dict[str, Any]) -> list[str]:
    connection = await asyncpg.connect(**dsn)
    try:
        rows = await connection.fetch(
            "select relname as name from pg_class where relnamespace = 'readiness'::regnamespace"
            " union all"
            " select proname from pg_proc where pronamespace = 'readiness'::regnamespace order by name"
        )
        return [row["name"] for row in rows]
    finally:
        await connection.close()


@pytest.mark.usefixtures("connection")
def test_a_new_database_is_missing_until_it_is_upgraded_and_that_can_be_repeated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        db.status(NO_OPTIONS)
    assert ended.value.code == 1
    assert capsys.readouterr().out == "missing  0001_initial.sql\n"
    db.upgrade(NO_OPTIONS)
    assert capsys.readouterr().out == "applied 0001_initial.sql\n"
    db.status(NO_OPTIONS)
    assert capsys.readouterr().out == "applied  0001_initial.sql\n"
    db.upgrade(NO_OPTIONS)
    assert capsys.readouterr().out == "up to date\n"


def test_the_real_command_upgrades_a_new_database(
    airflow: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    answer = airflow("upgrade")
    assert answer.returncode == 0, answer.stderr
    assert "applied 0001_initial.sql" in answer.stdout


def test_without_the_connection_it_says_what_to_do(
    airflow: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    answer = airflow("status", "--conn-id", "elsewhere")
    assert answer.returncode == 1
    assert "there is no connection 'elsewhere'" in answer.stderr
    assert "airflow connections add elsewhere" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "the connection 'readiness_postgres' names no host: set host, schema"),
        ({"host": "/nowhere", "login": "x"}, "Postgres cannot be used"),
    ],
)
def test_a_connection_that_leads_nowhere_is_answered_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], message: str
) -> None:
    monkeypatch.setenv(CONNECTION, json.dumps({"conn_type": "postgres", **fields}))
    with pytest.raises(SystemExit, match=message):
        db.upgrade(NO_OPTIONS)


async def test_what_sql_prints_makes_the_same_schema_once_and_not_twice(
    dsn: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    db.script(argparse.Namespace())
    script = capsys.readouterr().out
    expected = await relations(dsn)
    connection = await asyncpg.connect(**dsn)
    try:
        await connection.execute("drop schema readiness cascade")
        await connection.execute(script)
        assert await relations(dsn) == expected
        assert await connection.fetchval("select max(version) from readiness.migration") == max(
            sql.migrations()
        )
        with pytest.raises(asyncpg.DuplicateTableError):
            await connection.execute(script)
    finally:
        await connection.close()
    # a script that failed has changed nothing
    assert await relations(dsn) == expected


def test_grants_name_the_roles_that_were_given_and_quote_them(capsys: pytest.CaptureFixture[str]) -> None:
    db.grants(
        argparse.Namespace(writer='etl"x', releaser="release", reader="look", engine="airflow", feeder="feed")
    )
    printed = capsys.readouterr().out
    assert 'to "etl""x";' in printed
    for role in ("release", "look", "airflow", "feed"):
        assert f'grant usage on schema readiness to "{role}";' in printed
    assert "{" not in printed
