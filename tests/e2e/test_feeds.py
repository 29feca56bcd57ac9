"""The feeds on a real Airflow: their DAG files as they are, and an outside system that hangs."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_readiness.demo.processes import wait_until
from airflow_readiness.feeds import sql
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(400)

DAGS = Path(__file__).parents[2] / "dags"
INGEST = ("readiness_ingest_1m", "readiness_ingest_5m")


@contextmanager
def dag_file(world: World, path: Path, *dag_ids: str) -> Iterator[None]:
    """A file in the DAG folder, for a time; its DAGs are known to Airflow, and paused in the end."""

    def known(dag_id: str) -> bool:
        try:
            world.stack.rest.call("GET", f"/api/v2/dags/{dag_id}")
        except RuntimeError:
            return False
        return True

    there = shutil.copy(path, world.dags)
    try:
        wait_until(lambda: all(map(known, dag_ids)), 90, f"the DAGs of {path.name}", pause=0.5)
        for dag_id in dag_ids:
            world.stack.rest.pause(dag_id, False)
        yield
    finally:
        for dag_id in filter(known, dag_ids):
            world.stack.rest.pause(dag_id, True)
        Path(there).unlink()


@contextmanager
def connection(world: World, conn_id: str, **fields: Any) -> Iterator[None]:
    """A connection of type Postgres, for a time."""
    body = {"connection_id": conn_id, "conn_type": "postgres", **fields}
    world.stack.rest.call("POST", "/api/v2/connections", body)
    try:
        yield
    finally:
        world.stack.rest.call("DELETE", f"/api/v2/connections/{conn_id}")


def start(world: World, dag_id: str) -> str:
    """The id of a run that was started by hand."""
    run = world.stack.rest.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None})
    return str(run["dag_run_id"])


def state(world: World, dag_id: str, run_id: str) -> str:
    return str(world.stack.rest.call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])


def finish(world: World, dag_id: str, run_id: str) -> None:
    """Until a run has ended well."""
    done = ("success", "failed")
    wait_until(lambda: state(world, dag_id, run_id) in done, 120, f"a run of {dag_id}", pause=0.5)
    tasks = world.stack.rest.tasks(dag_id, run_id)
    assert state(world, dag_id, run_id) == "success", json.dumps(tasks)


def test_outside_logs_come_in_and_settings_logs_and_results_are_exchanged(world: World) -> None:
    stack = world.stack
    stack.script((DAGS / "sql" / "create_tables.sql").read_text())
    stack.sql("create database greenplum")
    stack.script(sql.read(sql.GREENPLUM_SCHEMA), "greenplum")
    stack.sql(
        "select readiness.set_log_settings('e2e_feed', 'jobs', 1, 2, null, null, 5)", database="greenplum"
    )
    stack.script("""
        insert into outside.job_log
        values (7, 'e2e_feed', 'jobs', now() at time zone 'Europe/Berlin', current_date::text, 12);
        insert into outside.delivery values ('Sales', now(), true), ('Stores', now(), false);
    """)
    login = {"host": stack.postgres.host, "login": stack.postgres.user, "schema": "greenplum"}
    with connection(world, "readiness_greenplum", **login):
        with dag_file(world, DAGS / "ingest_logs.py", *INGEST):
            for dag_id in INGEST:
                finish(world, dag_id, start(world, dag_id))
        with dag_file(world, DAGS / "greenplum_sync.py", "readiness_greenplum"):
            finish(world, "readiness_greenplum", start(world, "readiness_greenplum"))
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
    # those of all tests before this one
    assert stack.sql("select from readiness.processed_log", database="greenplum")
    stack.sql("drop database greenplum with (force)")


def test_a_system_that_hangs_delays_only_itself(world: World, tmp_path: Path) -> None:
    world.stack.sql("create table if not exists public.hang_log (db text, tab text, at timestamptz)")
    file = tmp_path / "hang.py"
    file.write_text("""
from airflow_readiness.feeds import LogSystem, ingest_dag

columns = dict(table="public.hang_log", source_database="db", source_table="tab", logged_at="at")
conn_ids = {"works": "warehouse", "hangs": "hung"}
systems = [LogSystem(name=name, conn_id=conn_id, **columns) for name, conn_id in conn_ids.items()]
dag = ingest_dag("hang", None, systems, default_args={"retries": 0})
""")
    # it lets everybody in, and says nothing
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = {"host": "127.0.0.1", "port": listener.getsockname()[1], "login": "x", "schema": "x"}
        with connection(world, "hung", **address), dag_file(world, file, "hang"):
            first = start(world, "hang")

            def hangs() -> bool:
                tasks = world.stack.rest.tasks("hang", first)
                return bool(tasks["hangs"]["state"] == "running" and tasks["works"]["state"] == "success")

            wait_until(hangs, 120, "a system that hangs", pause=0.5)
            # its lock is taken when it talks to the outside
            listener.settimeout(60)
            hung, _ = listener.accept()
            with hung:
                second = start(world, "hang")
                finish(world, "hang", second)
                states = {name: task["state"] for name, task in world.stack.rest.tasks("hang", second).items()}
                assert states == {"works": "success", "hangs": "skipped"}
                assert state(world, "hang", first) == "running"
            listener.close()
            wait_until(lambda: state(world, "hang", first) == "failed", 60, "the end of what hung", pause=0.5)
