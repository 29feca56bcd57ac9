"""Settings that are released in Greenplum are in force in Postgres: in their order, each once."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from airflow_readiness.errors import NotConfigured, SchemaMissing
from airflow_readiness.feeds import connect, releases, sql
from airflow_readiness.feeds.releases import Loaded
from tests.integration.feeds.conftest import Database

Rows = Callable[[str], list[tuple[Any, ...]]]
IN_FORCE = (
    "select source_database || '.' || source_table, deadline, read_from, log_count "
    "from readiness.log_setting where valid_to is null order by 1"
)
HISTORY = "select source_table, extract(hour from deadline)::int from readiness.log_setting order by setting_id"


def release(greenplum: Database, table: str, hour: int = 6, *rest: int | None) -> str:
    """At release, as in the SQL file of a release."""
    arguments = ["hive", table, hour, *(rest or (30, 20, None, 2))]
    row = greenplum.execute(
        "select readiness.set_log_settings(%s, %s, %s, %s, %s, %s, %s)", arguments
    ).fetchone()
    assert row is not None
    return str(row[0])


def load(**how: Any) -> Loaded:
    with connect.ours() as ours, connect.theirs("readiness_greenplum") as theirs:
        return releases.load(ours, theirs, **how)


def test_a_release_is_in_force_in_postgres_and_loaded_once(
    ours: Database, greenplum: Database, rows: Rows
) -> None:
    release(greenplum, "sales")
    release(greenplum, "stores", 0, 0, None, None, 1)
    assert load() == Loaded(in_force=2)
    assert rows(IN_FORCE) == [
        ("hive.sales", dt.time(6, 30), dt.time(20), 2),
        ("hive.stores", dt.time(0), None, 1),
    ]
    assert load() == Loaded()
    assert rows("select count(*) from readiness.log_setting") == [(2,)]


def test_the_latest_release_of_a_source_is_in_force_and_those_before_it_are_kept(
    ours: Database, greenplum: Database, rows: Rows
) -> None:
    for hour in (5, 6):
        release(greenplum, "sales", hour)
    release(greenplum, "stores", 1)
    release(greenplum, "sales", 7)
    load()
    assert rows(HISTORY) == [("sales", 5), ("sales", 6), ("stores", 1), ("sales", 7)]
    assert [row[1] for row in rows(IN_FORCE)] == [dt.time(7, 30), dt.time(1, 30)]
    superseded = "select deadline_hour from readiness.log_setting where superseded_at is not null order by 1"
    assert [row[0] for row in greenplum.execute(superseded.encode())] == [5, 6]


def test_who_released_and_when_is_kept(ours: Database, greenplum: Database, rows: Rows) -> None:
    key = release(greenplum, "sales")
    load()
    (there,) = greenplum.execute("select released_at, released_by from readiness.log_setting").fetchall()
    (here,) = rows(
        "select r.release_id, r.released_at, r.released_by, s.source_table "
        "from readiness.greenplum_release as r join readiness.log_setting as s using (setting_id)"
    )
    assert here == (key, *there, "sales")


def test_a_release_that_takes_long_is_loaded_after_its_commit_and_others_wait_for_it(
    ours: Database, greenplum: Database, rows: Rows
) -> None:
    with psycopg.connect(greenplum.info.dsn) as slow:
        slow.execute("select readiness.set_log_settings('hive', 'sales', 5, 0, null, null, 1)")
        assert load() == Loaded()
        greenplum.execute("set lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            release(greenplum, "stores")
        slow.commit()
    release(greenplum, "stores")
    assert load() == Loaded(in_force=2)
    assert rows(HISTORY) == [("sales", 5), ("stores", 6)]


def test_releases_of_one_transaction_keep_their_order(ours: Database, greenplum: Database, rows: Rows) -> None:
    with greenplum.transaction():
        for hour in range(24):
            release(greenplum, "sales", hour)
    load()
    assert rows(HISTORY) == [("sales", hour) for hour in range(24)]


def test_a_release_that_cannot_be_used_is_refused_once_and_the_others_are_loaded(
    ours: Database, greenplum: Database, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    release(greenplum, "sales", 5)
    # as no function would write it
    greenplum.execute("""
        insert into readiness.log_setting values
            ('odd', 'hive', 'with space', 25, 0, null, null, 1, clock_timestamp(), 'somebody')
    """)
    release(greenplum, "stores", 7)
    caplog.set_level(logging.WARNING)
    assert load() == Loaded(in_force=2, refused=1)
    (told,) = caplog.messages
    assert "the settings of hive.with space that somebody released in Greenplum at" in told
    assert "refused" in told
    assert rows(HISTORY) == [("sales", 5), ("stores", 7)]
    assert load() == Loaded()
    assert len(caplog.messages) == 1
    assert rows("select release_id from readiness.greenplum_release where refused is not null") == [("odd",)]


def test_a_load_that_is_cut_off_goes_on_where_it_stopped(
    ours: Database, greenplum: Database, rows: Rows
) -> None:
    for number in range(10):
        release(greenplum, f"t{number}")
    ours.execute("""
        create function public.cut() returns trigger language plpgsql as $$
        begin
            if new.source_table = 't7' then perform pg_terminate_backend(pg_backend_pid()); end if;
            return new;
        end $$;
        create trigger cut before insert on readiness.log_setting for each row execute function public.cut();
    """)
    with pytest.raises(psycopg.OperationalError):
        load(batch=3)
    assert rows(HISTORY) == [(f"t{number}", 6) for number in range(6)]
    ours.execute("drop trigger cut on readiness.log_setting")
    assert load(batch=3) == Loaded(in_force=4)
    assert rows(HISTORY) == [(f"t{number}", 6) for number in range(10)]


def test_what_a_later_transaction_supersedes_is_never_in_force(
    ours: Database, greenplum: Database, rows: Rows
) -> None:
    for number in range(6):
        release(greenplum, "sales", number)
    assert load(batch=4) == Loaded(in_force=2)
    assert rows(HISTORY) == [("sales", 4), ("sales", 5)]
    reasons = "select distinct refused from readiness.greenplum_release where setting_id is null"
    assert rows(reasons) == [("superseded before it was loaded",)]
    assert load(batch=4) == Loaded()


def test_a_release_that_turns_up_later_is_loaded_but_never_before_a_newer_one(
    ours: Database, greenplum: Database, rows: Rows
) -> None:
    release(greenplum, "sales", 9)
    load()
    # not by the function: restored, or written by hand
    for table in ("sales", "stores"):
        greenplum.execute(
            "insert into readiness.log_setting values "
            "(%s, 'hive', %s, 5, 0, null, null, 1, clock_timestamp() - interval '1 day', 'somebody')",
            (f"{table} of old", table),
        )
    assert load() == Loaded(in_force=1)
    assert rows(HISTORY) == [("sales", 9), ("stores", 5)]
    assert load() == Loaded()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("'with space', 't', 6, 0, null, null, 1", "database 'with space' is not a name"),
        ("'hive', null, 6, 0, null, null, 1", "table null is not a name"),
        ("'hive', 't', 24, 0, null, null, 1", "deadline hour 24 is not an hour"),
        ("'hive', 't', null, 0, null, null, 1", "deadline hour null is not an hour"),
        ("'hive', 't', 6, 60, null, null, 1", "deadline minute 60 is not a minute"),
        ("'hive', 't', 6, 0, null, 5, 1", "read_from hour null is not an hour"),
        ("'hive', 't', 6, 0, 0, -1, 1", "read_from minute -1 is not a minute"),
        ("'hive', 't', 6, 0, null, null, 0", "log_count 0 is below 1"),
        ("'hive', 't', 6, 0, null, null, null", "log_count null is below 1"),
    ],
)
def test_impossible_settings_are_refused_at_release(greenplum: Database, arguments: str, message: str) -> None:
    with pytest.raises(psycopg.DataError, match=message):
        greenplum.execute(f"select readiness.set_log_settings({arguments})".encode())
    assert greenplum.execute("select count(*) from readiness.log_setting").fetchone() == (0,)


def test_whatever_greenplum_accepts_postgres_accepts(ours: Database, greenplum: Database, rows: Rows) -> None:
    release(greenplum, "a", 0, None, 0, None, 1)
    release(greenplum, "b", 23, 59, 23, 59, 1)
    assert load() == Loaded(in_force=2)
    assert [row[1:] for row in rows(IN_FORCE)] == [
        (dt.time(0), dt.time(0), 1),
        (dt.time(23, 59), dt.time(23, 59), 1),
    ]


def test_the_schema_may_be_applied_again(ours: Database, greenplum: Database) -> None:
    release(greenplum, "sales")
    greenplum.execute(sql.read(sql.GREENPLUM_SCHEMA).encode())
    assert load() == Loaded(in_force=1)


def test_a_greenplum_without_the_schema_says_what_to_apply(ours: Database, greenplum: Database) -> None:
    greenplum.execute("drop schema readiness cascade")
    with pytest.raises(
        SchemaMissing, match=r"lacks readiness.log_setting, .*apply what 'airflow readiness greenplum"
    ):
        load()


def test_a_postgres_without_the_schema_says_what_to_run(ours: Database, greenplum: Database) -> None:
    ours.execute("drop table readiness.ingest_state")
    with pytest.raises(
        SchemaMissing, match=r"lacks readiness.ingest_state: run 'airflow readiness db upgrade'"
    ):
        load()


def test_a_connection_to_another_kind_of_database_is_refused(
    ours: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_READINESS_GREENPLUM", "sqlite://")
    with pytest.raises(NotConfigured, match="'readiness_greenplum' is not to a Postgres"):
        load()
