"""The DAG files of the feeds as they are: an outside log becomes one of ours, and goes to Greenplum."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_readiness.demo.processes import wait_until
from airflow_readiness.feeds import sql
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(400)

DAGS = Path(__file__).parents[2] / "dags"
FILES = ("ingest_logs.py", "greenplum_sync.py")
IDS = ("readiness_ingest_1m", "readiness_ingest_5m", "readiness_greenplum")


@pytest.fixture
def feeds(world: World) -> Iterator[None]:
    """The files in the DAG folder, their connections and the databases behind these."""
    stack = world.stack
    stack.sql("create database greenplum")
    stack.script(sql.read(sql.GREENPLUM_SCHEMA), "greenplum")
    stack.script((DAGS / "sql" / "create_tables.sql").read_text())
    connection = {
        "connection_id": "readiness_greenplum",
        "conn_type": "postgres",
        "host": stack.postgres.host,
        "login": stack.postgres.user,
        "schema": "greenplum",
    }
    stack.rest.call("POST", "/api/v2/connections", connection)
    for name in FILES:
        shutil.copy(DAGS / name, world.dags)
    try:
        wait_until(lambda: all(_known(world, dag_id) for dag_id in IDS), 90, "the DAGs of the feeds", pause=0.5)
        yield
    finally:
        for dag_id in filter(lambda each: _known(world, each), IDS):
            stack.rest.pause(dag_id, True)
        for name in FILES:
            (world.dags / name).unlink()
        stack.rest.call("DELETE", "/api/v2/connections/readiness_greenplum")
        stack.sql("drop database greenplum with (force)")


def _known(world: World, dag_id: str) -> bool:
    try:
        world.stack.rest.call("GET", f"/api/v2/dags/{dag_id}")
    except RuntimeError:
        return False
    return True


def _run(world: World, dag_id: str) -> None:
    """Run a DAG by hand, to its success."""
    rest = world.stack.rest
    rest.pause(dag_id, False)
    started = rest.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None})
    path = f"/api/v2/dags/{dag_id}/dagRuns/{started['dag_run_id']}"
    wait_until(
        lambda: rest.call("GET", path)["state"] in ("success", "failed"), 120, f"a run of {dag_id}", pause=0.5
    )
    rest.pause(dag_id, True)
    assert rest.call("GET", path)["state"] == "success", json.dumps(rest.tasks(dag_id, started["dag_run_id"]))


@pytest.mark.usefixtures("feeds")
def test_outside_logs_come_in_and_settings_logs_and_results_are_exchanged_with_greenplum(world: World) -> None:
    stack = world.stack
    stack.sql(
        "select readiness.set_log_settings('e2e_feed', 'jobs', 1, 2, null, null, 5)", database="greenplum"
    )
    stack.script("""
        insert into outside.job_log
        values (7, 'e2e_feed', 'jobs', now() at time zone 'Europe/Berlin', current_date::text, 12);
        insert into outside.delivery values ('Sales', now(), true), ('Stores', now(), false);
    """)
    for dag_id in IDS:
        _run(world, dag_id)
    rows = stack.sql(
        "select ingested_from, source_database || '.' || source_table as source, row_count "
        "from readiness.fm_log where ingested_from is not null order by 1"
    )
    assert [tuple(row) for row in rows] == [
        ("deliveries", "hive.sales", None),
        ("scheduler", "e2e_feed.jobs", 12),
    ]
    in_force = stack.sql("select log_count from readiness.log_setting where source_database = 'e2e_feed'")
    assert [row["log_count"] for row in in_force] == [5]
    there = stack.sql("select load_id from readiness.source_log where load_id = '7'", database="greenplum")
    assert len(there) == 1
    # the e2e tests before this one have results, and it has one of its own
    assert stack.sql("select from readiness.processed_log", database="greenplum")
