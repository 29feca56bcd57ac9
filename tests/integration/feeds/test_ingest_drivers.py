"""Bounded memory with a large table, and another kind of database."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_readiness.feeds.ingest import ingest
from tests.integration.feeds.conftest import Database
from tests.integration.feeds.jobs import JOBS, LOGS, create, insert, now, read

Rows = Callable[[str], list[tuple[Any, ...]]]


def test_a_large_window_is_read_a_batch_at_a_time(ours: Database, outside: Database, rows: Rows) -> None:
    create(outside)
    outside.execute("""
        insert into etl.job_log
        select n, 'hive', 'sales', now() - n * interval '1 second', null, 1 from generate_series(1, 30000) as n
    """)
    tracemalloc.start()
    try:
        assert read(replace(JOBS, batch_rows=500)).new == 30_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000
    assert rows("select count(*) from readiness.fm_log") == [(30_000,)]


def test_the_driver_is_never_sent_more_than_a_batch(
    ours: Database, outside: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What libpq holds is not seen by tracemalloc: the cursor must be one of the server."""
    create(outside)
    for run in range(10):
        insert(outside, run, now())
    # a cursor of the server is there while a batch is written
    ours.execute("""
        create table public.seen (statement text);
        create function public.look() returns trigger language plpgsql as $$
        begin
            insert into public.seen select query from pg_stat_activity
            where datname like 'feed_%' and query ilike 'fetch%';
            return null;
        end $$;
        create trigger look after insert on readiness.fm_log for each statement execute function public.look();
    """)
    assert read(replace(JOBS, batch_rows=3)).new == 10
    seen = {statement for (statement,) in ours.execute("select statement from public.seen")}
    assert seen == {'FETCH FORWARD 3 FROM "readiness_ingest"'}


def test_a_database_of_another_kind_with_times_as_text(
    ours: Database, rows: Rows, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "outside.db"
    monkeypatch.setenv("AIRFLOW_CONN_OUTSIDE", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    at = now()
    with sqlite3.connect(path) as database:
        database.execute('create table job_log (run real, DB text, "table" text, done text, n text)')
        for run, minutes in enumerate((1, 5, 3 * 24 * 60)):
            done = (at - dt.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
            database.execute("insert into job_log values (?, 'hive', 'sales', ?, '12')", (run, done))
    database.close()
    text = replace(
        JOBS,
        table="job_log",
        source_table="table",
        logged_at="done",
        business_date=None,
        timezone="UTC",
        time_format="%Y-%m-%dT%H:%M:%SZ",
    )
    assert read(text).new == 2
    assert [row[3:6] for row in rows(LOGS)] == [
        (at - dt.timedelta(minutes=5), "1", 12),
        (at - dt.timedelta(minutes=1), "0", 12),
    ]
    query = "select * from job_log where done >= :since and done like '%Z' order by done"
    assert read(replace(text, name="by_sql", table=None, sql=query)).new == 2


def test_text_whose_format_is_not_known_is_refused(
    ours: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "outside.db"
    monkeypatch.setenv("AIRFLOW_CONN_OUTSIDE", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    with sqlite3.connect(path) as database:
        database.execute("create table job_log (run real, db text, tab text, finished_at text, n text)")
        database.execute("insert into job_log values (1, 'hive', 'sales', '2026-11-20 03:00', 1)")
    database.close()
    with pytest.raises(
        ValueError, match="'finished_at' holds '2026-11-20 03:00', no timestamp: say time_format"
    ):
        ingest(replace(JOBS, table="job_log", business_date=None))
