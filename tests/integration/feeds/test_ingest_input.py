"""What outside databases hold: other types, rows that cannot be used, columns that are not there."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from airflow_readiness.errors import BadInput, NotConfigured
from airflow_readiness.feeds.ingest import ingest
from tests.integration.feeds.conftest import Database
from tests.integration.feeds.jobs import JOBS, LOGS, create, insert, now, read

Rows = Callable[[str], list[tuple[Any, ...]]]
#: never the zone of the machine, nor that of a session
TOKYO = dt.timezone(dt.timedelta(hours=9))


def test_a_column_that_is_not_there_is_named_with_those_that_are(ours: Database, outside: Database) -> None:
    create(outside)
    with pytest.raises(BadInput) as refused:
        ingest(replace(JOBS, load_id="run_id"))
    assert str(refused.value) == (
        "the outside system 'jobs': its table etl.job_log has no column 'run_id'; "
        "its columns are: run, db, tab, finished_at, for_day, n"
    )


def test_a_column_that_sql_does_not_return_is_named_too(ours: Database, outside: Database) -> None:
    create(outside)
    insert(outside, 1, now())
    query = "select db, tab, finished_at from etl.job_log where finished_at >= :since"
    with pytest.raises(BadInput, match="its sql has no column 'run'; its columns are: db, tab, finished_at"):
        ingest(replace(JOBS, table=None, sql=query))


def test_a_table_that_is_not_there_fails_as_the_database_says(ours: Database, outside: Database) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable, match=r"etl\.job_log"):
        ingest(JOBS)


def test_names_that_need_quotes_are_quoted(ours: Database, outside: Database, rows: Rows) -> None:
    outside.execute(
        'create table "Job Log" ("order" text, "Table" text, "Finished At" timestamptz, "x""y" int)'
    )
    outside.execute("""insert into "Job Log" values ('hive', 'sales', now(), 7)""")
    system = replace(
        JOBS,
        table='"Job Log"',
        source_database="order",
        # as it can be told apart
        source_table="table",
        logged_at="Finished At",
        load_id='x"y',
        business_date=None,
        row_count=None,
    )
    assert read(system).new == 1
    assert [(row[0], row[1], row[4]) for row in rows(LOGS)] == [("hive", "sales", "7")]


def test_times_without_a_zone_are_of_the_zone_of_the_entry_or_of_the_deployment(
    ours: Database, outside: Database, rows: Rows
) -> None:
    create(outside, time_type="timestamp")
    at = now() - dt.timedelta(minutes=5)
    insert(outside, 1, at.astimezone(TOKYO).replace(tzinfo=None))
    tokyo = replace(JOBS, timezone="Asia/Tokyo", first_read=dt.timedelta(minutes=10))
    assert (read(tokyo).new, read(tokyo).seen) == (1, 1)
    assert [row[3] for row in rows(LOGS)] == [at]
    ours.execute("update readiness.deployment set timezone = 'Asia/Tokyo'")
    assert read(replace(tokyo, name="other", timezone=None)).new == 1
    assert [row[3] for row in rows(LOGS)] == [at, at]


def test_times_with_a_zone_need_none_whatever_the_entry_says(
    ours: Database, outside: Database, rows: Rows
) -> None:
    create(outside)
    at = now()
    insert(outside, 1, at)
    assert read(replace(JOBS, timezone="Asia/Tokyo", first_read=dt.timedelta(minutes=10))).new == 1
    assert [row[3] for row in rows(LOGS)] == [at]


SQL = "select * from etl.job_log where finished_at >= :since and tab like 's%' and finished_at > :since"


def test_sql_of_ones_own_gets_the_window_in_the_kind_of_its_times(
    ours: Database, outside: Database, rows: Rows
) -> None:
    create(outside, time_type="timestamp")
    at = now()
    for run, minutes in enumerate((1, 9, 11)):
        insert(outside, run, (at - dt.timedelta(minutes=minutes)).astimezone(TOKYO).replace(tzinfo=None))
    system = replace(JOBS, table=None, sql=SQL, timezone="Asia/Tokyo", first_read=dt.timedelta(minutes=10))
    assert read(system).new == 2
    assert rows("select max(logged_at) from readiness.fm_log") == [(at - dt.timedelta(minutes=1),)]


@pytest.mark.parametrize(
    ("time_type", "timezone", "remedy"),
    [
        ("timestamp", None, "say timezone=, its times have none"),
        ("timestamptz", "Asia/Tokyo", "leave timezone= out, its times have one"),
    ],
)
def test_sql_whose_times_are_of_another_kind_than_the_window_is_refused(
    ours: Database, outside: Database, rows: Rows, time_type: str, timezone: str | None, remedy: str
) -> None:
    create(outside, time_type=time_type)
    # in the window, however it was taken
    insert(outside, 1, now() + dt.timedelta(days=1))
    with pytest.raises(BadInput, match=remedy):
        ingest(replace(JOBS, table=None, sql=SQL, timezone=timezone))
    assert rows(LOGS) == []


def test_a_column_of_dates_is_no_time_of_a_log(ours: Database, outside: Database) -> None:
    create(outside, time_type="date")
    insert(outside, 1, now())
    with pytest.raises(BadInput, match=r"'finished_at' holds datetime.date\(.*name a column of timestamps"):
        ingest(JOBS)


def test_rows_that_cannot_be_used_are_left_out_and_told_once(
    ours: Database, outside: Database, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    create(outside, day_type="text")
    at = now()
    insert(outside, 1, at - dt.timedelta(minutes=3), for_day="20.11.2026")
    insert(outside, 2, at - dt.timedelta(minutes=2), tab="with space")
    insert(outside, 3, at - dt.timedelta(minutes=1), tab=None)
    insert(outside, 4, at, for_day="20261120", n="NaN")
    caplog.set_level(logging.WARNING)
    done = read()
    assert (done.seen, done.new, done.bad) == (4, 1, 3)
    assert [(row[2], row[4], row[5]) for row in rows(LOGS)] == [(dt.date(2026, 11, 20), "4", None)]
    (told,) = caplog.messages
    assert "a row of 'hive', 'sales' is left out: business_date '20.11.2026' is not a date" in told
    assert rows("select complaint from readiness.ingest_state") == [(told,)]
    assert read().bad == 3
    assert len(caplog.messages) == 1
    # corrected there
    outside.execute("update etl.job_log set tab = 'sales', for_day = null where run < 4")
    assert read().new == 3
    assert rows("select complaint from readiness.ingest_state") == [(None,)]


def test_rows_of_which_none_can_be_used_do_not_move_the_mark(
    ours: Database, outside: Database, rows: Rows
) -> None:
    create(outside, day_type="text")
    insert(outside, 1, now() - dt.timedelta(hours=30), for_day="20.11.2026")
    read()
    insert(outside, 2, now(), for_day="20.11.2026")
    read()
    # the entry is corrected: nothing was lost meanwhile
    assert read(replace(JOBS, date_format="%d.%m.%Y")).new == 2


def test_a_broken_entry_is_refused_before_anything_is_asked(ours: Database) -> None:
    with pytest.raises(BadInput, match="the outside system 'jobs': give either table= or sql="):
        ingest(replace(JOBS, conn_id="nowhere", table=None))


def test_a_connection_that_is_not_there_is_named(ours: Database) -> None:
    with pytest.raises(NotConfigured, match="there is no connection 'nowhere': create it"):
        ingest(replace(JOBS, conn_id="nowhere"))


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("smtp://localhost", "the connection 'odd' is one for the SmtpHook: give one to an SQL database"),
        ("unheard-of://localhost", "the connection 'odd' cannot be used .*install the provider of its type"),
    ],
)
def test_a_connection_to_no_sql_database_is_refused(
    ours: Database, monkeypatch: pytest.MonkeyPatch, uri: str, message: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ODD", uri)
    with pytest.raises(NotConfigured, match=message):
        ingest(replace(JOBS, conn_id="odd"))
