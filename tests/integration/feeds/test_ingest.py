"""Readiness logs out of an outside database: each once, none missed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowSkipException

from airflow_readiness.feeds.dags import IngestOperator
from airflow_readiness.feeds.ingest import ingest
from tests.integration.feeds.conftest import Database
from tests.integration.feeds.jobs import JOBS, LOGS, create, insert, now, read

Rows = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(autouse=True)
def job_log(outside: Database) -> None:
    create(outside)


def test_what_is_logged_there_is_logged_here_once(ours: Database, outside: Database, rows: Rows) -> None:
    at, day = now(), dt.date(2026, 11, 20)
    insert(outside, 1, at, for_day=day, n=12)
    insert(outside, 2, at + dt.timedelta(seconds=1), tab="stores")
    assert read().new == 2
    expected = [
        ("hive", "sales", day, at, "1", 12, "jobs"),
        ("hive", "stores", None, at + dt.timedelta(seconds=1), "2", 1, "jobs"),
    ]
    assert rows(LOGS) == expected
    again = read()
    assert (again.seen, again.new) == (2, 0)
    assert rows(LOGS) == expected


def test_one_load_of_two_tables_and_of_two_dates_is_a_log_of_each(
    ours: Database, outside: Database, rows: Rows
) -> None:
    at = now()
    for tab, day in (("sales", "2026-11-19"), ("sales", "2026-11-20"), ("sales", None), ("stores", None)):
        insert(outside, 7, at, tab=tab, for_day=day)
        insert(outside, 7, at + dt.timedelta(seconds=1), tab=tab, for_day=day)
    assert read().new == 4
    assert read().new == 0
    assert rows("select count(*), count(distinct load_id) from readiness.fm_log") == [(4, 1)]


def test_a_row_that_is_committed_late_is_read_all_the_same(
    ours: Database, outside: Database, rows: Rows
) -> None:
    at = now()
    with psycopg.connect(outside.info.dsn) as slow:
        slow.execute("insert into etl.job_log values (1, 'hive', 'late', %s)", (at - dt.timedelta(minutes=30),))
        insert(outside, 2, at)
        assert read().new == 1
        slow.commit()
    assert read().new == 1
    assert {row[1] for row in rows(LOGS)} == {"late", "sales"}


def test_what_is_older_than_the_overlap_is_not_read_again(ours: Database, outside: Database) -> None:
    at = now()
    for minutes in (0, 59, 61):
        insert(outside, minutes, at - dt.timedelta(minutes=minutes))
    assert read().seen == 3
    assert read().seen == 2


def test_the_first_read_begins_two_days_ago(ours: Database, outside: Database) -> None:
    insert(outside, 1, now() - dt.timedelta(days=3))
    insert(outside, 2, now() - dt.timedelta(days=1))
    assert read().new == 1
    assert read(replace(JOBS, name="other", first_read=dt.timedelta(days=4))).new == 2


def test_the_mark_is_the_newest_row_of_the_outside_and_never_goes_back(
    ours: Database, outside: Database, rows: Rows
) -> None:
    mark = "select read_to from readiness.ingest_state where system = 'jobs'"
    read()
    assert rows(mark) == [(None,)]
    at = now() - dt.timedelta(minutes=10)
    insert(outside, 1, at)
    read()
    assert rows(mark) == [(at,)]
    outside.execute("delete from etl.job_log")
    insert(outside, 2, at - dt.timedelta(minutes=5))
    assert read().new == 1
    assert rows(mark) == [(at,)]


def test_a_row_from_the_future_does_not_hide_those_that_come_after_it(
    ours: Database, outside: Database
) -> None:
    insert(outside, 1, now() + dt.timedelta(days=400))
    assert read().new == 1
    insert(outside, 2, now())
    assert read().new == 1


def test_a_mark_that_is_set_back_has_more_read_again(ours: Database, outside: Database) -> None:
    insert(outside, 1, now())
    read()
    insert(outside, 2, now() - dt.timedelta(days=9))
    assert read().new == 0
    ours.execute("update readiness.ingest_state set read_to = now() - interval '10 days'")
    assert read().new == 1


def test_logs_that_were_read_make_a_source_ready(ours: Database, outside: Database, rows: Rows) -> None:
    ours.execute("select readiness.set_log_settings('hive', 'sales', 23, 59, null, null, 2)")
    for run in (1, 2):
        insert(outside, run, now(), for_day=now().date())
        insert(outside, run, now(), for_day=now().date())
    read()
    assert rows("select state, log_count from readiness.advance()") == [("ready", 2)]


def test_the_doorbell_rings_for_what_is_new_and_for_nothing_else(ours: Database, outside: Database) -> None:
    ours.execute("listen readiness")
    insert(outside, 1, now())
    read()
    assert [heard.payload for heard in ours.notifies(timeout=5, stop_after=1)] == ["fm_log"]
    read()
    ours.execute("notify readiness, 'last'")
    assert [heard.payload for heard in ours.notifies(timeout=5, stop_after=1)] == ["last"]


def test_who_comes_while_an_earlier_read_goes_on_leaves_it_alone(ours: Database, outside: Database) -> None:
    insert(outside, 1, now())
    with ours.transaction():
        ours.execute("select pg_advisory_xact_lock(7304, hashtext('ingest jobs'))")
        assert ingest(JOBS) is None
        with pytest.raises(AirflowSkipException, match="an earlier run is still reading jobs"):
            IngestOperator(system=JOBS).execute({})
        assert read(replace(JOBS, name="other")).new == 1
    assert read().new == 1


# the session that writes is ended in the middle of its third batch
CUT = """
    create function public.cut() returns trigger language plpgsql as $$
    begin
        if new.load_id = '7' then perform pg_terminate_backend(pg_backend_pid()); end if;
        return new;
    end $$;
    create trigger cut before insert on readiness.fm_log for each row execute function public.cut();
"""
MARK = "select read_to = (select max(logged_at) from readiness.fm_log) from readiness.ingest_state"
SMALL = replace(JOBS, batch_rows=3, overlap=dt.timedelta(minutes=1))


def test_a_read_that_is_cut_off_is_done_again_and_nothing_is_doubled(
    ours: Database, outside: Database, rows: Rows
) -> None:
    for run in range(10):
        insert(outside, run, now() - dt.timedelta(minutes=20 - run))
    ours.execute(CUT.encode())
    with pytest.raises(psycopg.OperationalError):
        ingest(SMALL)
    assert rows("select count(*) from readiness.fm_log") == [(6,)]
    # the mark went with the rows
    assert rows(MARK) == [(True,)]
    ours.execute("drop trigger cut on readiness.fm_log")
    # only what was not read, and the overlap
    assert read(SMALL).seen == 6
    assert rows("select count(*) from readiness.fm_log") == [(10,)]


def test_of_rows_in_any_order_the_mark_moves_when_all_are_read(
    ours: Database, outside: Database, rows: Rows
) -> None:
    # the newest first
    for run in range(10):
        insert(outside, run, now() - dt.timedelta(minutes=2 * run))
    ours.execute(CUT.encode())
    query = "select * from etl.job_log where finished_at >= :since order by finished_at desc"
    with pytest.raises(psycopg.OperationalError):
        ingest(replace(SMALL, table=None, sql=query))
    ours.execute("drop trigger cut on readiness.fm_log")
    assert read(replace(SMALL, table=None, sql=query)).new == 4
    assert rows(MARK) == [(True,)]
