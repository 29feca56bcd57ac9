"""The DAGs of the feeds, and the DAG files that show them."""

from __future__ import annotations

import importlib.util
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from airflow.serialization.serialized_objects import DagSerialization

from airflow_readiness.errors import BadInput
from airflow_readiness.feeds import LogSystem, greenplum_dag, ingest_dag
from airflow_readiness.feeds.system import check

DAGS = Path(__file__).parents[2] / "dags"


def system(name: str, **more: Any) -> LogSystem:
    return LogSystem(
        name=name, conn_id="o", table="t", source_database="d", source_table="t", logged_at="at", **more
    )


def from_file(name: str) -> dict[str, DAG]:
    spec = importlib.util.spec_from_file_location(name, DAGS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {value.dag_id: value for value in vars(module).values() if isinstance(value, DAG)}


def tasks(dag: DAG) -> list[Any]:
    return list(dag.tasks)


@pytest.fixture(params=["ingest_logs", "greenplum_sync"])
def dags(request: pytest.FixtureRequest) -> list[DAG]:
    return list(from_file(request.param).values())


def test_the_files_have_these_dags() -> None:
    schedules: dict[str, Any] = {name: dag.schedule for name, dag in from_file("ingest_logs").items()}
    assert schedules == {
        "readiness_ingest_1m": "* * * * *",
        "readiness_ingest_5m": "*/5 * * * *",
    }
    assert {name: set(dag.task_ids) for name, dag in from_file("greenplum_sync").items()} == {
        "readiness_greenplum": {"settings", "source_log", "processed_log"}
    }


def test_each_entry_of_the_files_can_be_used() -> None:
    entries = [task.system for dag in from_file("ingest_logs").values() for task in tasks(dag)]
    assert entries
    for entry in entries:
        check(entry)


def test_no_task_waits_for_another(dags: list[DAG]) -> None:
    assert all(not task.upstream_list for dag in dags for task in dag.tasks)


def test_what_was_missed_is_not_caught_up_with_and_nothing_is_paused_by_airflow(dags: list[DAG]) -> None:
    for dag in dags:
        assert dag.catchup is False
        assert dag.max_consecutive_failed_dag_runs == 0
        # before its connections are there it would only fail
        assert dag.is_paused_upon_creation is True


def test_each_task_is_tried_again_and_ends(dags: list[DAG]) -> None:
    for task in (task for dag in dags for task in tasks(dag)):
        assert task.retries
        assert task.execution_timeout is not None


def test_they_survive_serialization(dags: list[DAG]) -> None:
    for dag in dags:
        stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        assert set(stored.task_ids) == set(dag.task_ids)


def test_a_system_that_hangs_leaves_a_run_to_the_others() -> None:
    # it holds one run; the runs after it skip it
    dag = ingest_dag("i", "* * * * *", [system("a"), system("b")])
    assert dag.max_active_runs == 3


def test_two_systems_of_one_name_are_refused() -> None:
    with pytest.raises(BadInput, match="i: two outside systems are called 'a': rename one"):
        ingest_dag("i", "* * * * *", [system("a"), system("b"), system("a")])


def test_an_entry_that_cannot_be_used_fails_its_own_task_and_no_file() -> None:
    dag = ingest_dag("i", "* * * * *", [system("a"), system("b", batch_rows=0)])
    # with a sentence, and without trying again
    with pytest.raises(AirflowFailException, match="the outside system 'b': batch_rows is 0"):
        tasks(dag)[1].execute({})


def test_arguments_reach_dags_and_tasks() -> None:
    dag = ingest_dag(
        "i",
        "@hourly",
        [system("a")],
        pool="few",
        timeout=timedelta(seconds=30),
        tags=["mine"],
        catchup=True,
        default_args={"retries": 7},
    )
    (task,) = dag.tasks
    assert (task.pool, task.execution_timeout, task.retries) == ("few", timedelta(seconds=30), 7)
    assert (dag.tags, dag.catchup) == ({"mine"}, True)
    dag = greenplum_dag("g", "@daily", greenplum_conn_id="gp", conn_id="pg")
    assert {(task.greenplum_conn_id, task.conn_id) for task in tasks(dag)} == {("gp", "pg")}
