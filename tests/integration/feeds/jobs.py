"""The outside system of the tests: a log of jobs."""

from __future__ import annotations

import datetime as dt
from typing import Any

from airflow_readiness.feeds import LogSystem
from airflow_readiness.feeds.ingest import Read, ingest
from tests.integration.feeds.conftest import Database

UTC = dt.timezone.utc
JOBS = LogSystem(
    name="jobs",
    conn_id="outside",
    table="etl.job_log",
    source_database="db",
    source_table="tab",
    logged_at="finished_at",
    load_id="run",
    business_date="for_day",
    row_count="n",
)
LOGS = (
    "select source_database, source_table, business_date, logged_at, load_id, row_count, ingested_from "
    "from readiness.fm_log order by logged_at, load_id"
)


def create(outside: Database, time_type: str = "timestamptz", day_type: str = "date") -> None:
    outside.execute("create schema etl")
    columns = f"run bigint, db text, tab text, finished_at {time_type}, for_day {day_type}, n numeric"
    outside.execute(f"create table etl.job_log ({columns})".encode())


def insert(
    outside: Database, run: int, finished_at: Any, tab: str | None = "sales", for_day: Any = None, n: Any = 1
) -> None:
    outside.execute(
        "insert into etl.job_log values (%s, 'hive', %s, %s, %s, %s)", (run, tab, finished_at, for_day, n)
    )


def now() -> dt.datetime:
    return dt.datetime.now(UTC).replace(microsecond=0)


def read(system: LogSystem = JOBS) -> Read:
    """A read that nobody else is at."""
    done = ingest(system)
    assert done is not None
    return done
