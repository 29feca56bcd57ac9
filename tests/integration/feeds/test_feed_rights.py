"""What ``db grants`` prints for the feeder is enough for every feed, and for nothing else."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from airflow_readiness.cli import db
from airflow_readiness.feeds import connect, releases
from airflow_readiness.feeds.mirror import MIRRORS, sync
from tests.integration.feeds.conftest import Database, airflow_connection
from tests.integration.feeds.jobs import create, insert, now, read


@pytest.fixture
def feeder(
    ours: Database, dsn: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[str]:
    """The connection ``readiness_postgres`` has the login of the feeder."""
    roles = ("writer", "releaser", "reader", "engine", "feeder")
    names = {role: f"{dsn['database']} {role}" for role in roles}
    for name in names.values():
        ours.execute(f'create role "{name}" login'.encode())
    db.grants(argparse.Namespace(**names))
    ours.execute(capsys.readouterr().out.encode())
    login = {"host": dsn["host"], "user": names["feeder"], "dbname": dsn["database"]}
    airflow_connection(monkeypatch, "readiness_postgres", login)
    yield names["feeder"]
    for name in names.values():
        ours.execute(f'drop owned by "{name}"; drop role "{name}"'.encode())


def test_the_feeder_does_the_work_of_every_feed(
    ours: Database, outside: Database, greenplum: Database, feeder: str
) -> None:
    create(outside)
    insert(outside, 1, now())
    assert read().new == 1
    assert read().new == 0
    greenplum.execute("select readiness.set_log_settings('hive', 'sales', 23, 59, null, null, 1)")
    ours.execute("select from readiness.advance()")
    with connect.alone("greenplum settings") as mine, connect.ours() as here:
        assert mine
        with connect.theirs("readiness_greenplum") as theirs:
            assert releases.load(here, theirs).in_force == 1
            ours.execute("select from readiness.advance()")
            assert all(sync(mirror, here, theirs) for mirror in MIRRORS.values())
    assert ours.execute("select set_by from readiness.log_setting").fetchall() == [(feeder,)]
    assert ours.execute("select reported_by from readiness.fm_log").fetchall() == [(feeder,)]


@pytest.mark.parametrize(
    "statement",
    [
        "insert into readiness.fm_log (source_database, source_table, reported_by) values ('a', 'b', 'me')",
        "update readiness.fm_log set load_id = 'x'",
        "delete from readiness.fm_log",
        "update readiness.greenplum_release set refused = 'x'",
        "delete from readiness.greenplum_release",
        "delete from readiness.ingest_state",
        "update readiness.log_setting set log_count = 9",
        "select from readiness.advance()",
        "update readiness.processed_log set state = 'ready'",
        "update readiness.deployment set timezone = 'UTC'",
        "create table readiness.mine ()",
    ],
)
def test_the_feeder_does_nothing_else(ours: Database, feeder: str, statement: str) -> None:
    with connect.ours() as here, pytest.raises(psycopg.errors.InsufficientPrivilege):
        here.execute(statement.encode())
