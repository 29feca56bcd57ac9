"""The two DAGs of readiness."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.timetables.simple import ContinuousTimetable
from airflow.serialization.serialized_objects import DagSerialization

import airflow_readiness_triggers
from airflow_readiness import readiness_dags, source
from airflow_readiness.errors import BadName

FROZEN = set(
    re.findall(r"``(airflow_readiness_triggers\.[a-z]+\.[A-Za-z]+)``", airflow_readiness_triggers.__doc__ or "")
)


def _task(dag: DAG) -> Any:
    return dag.tasks[0]


def _by_id(**arguments: Any) -> dict[str, DAG]:
    return {dag.dag_id: dag for dag in readiness_dags(**arguments)}


@pytest.fixture(params=["readiness_processor", "readiness_collector"])
def dag(request: pytest.FixtureRequest) -> DAG:
    return _by_id(sources=["b.t", "a.t", "b.t"])[request.param]


def test_there_are_two() -> None:
    assert set(_by_id()) == {"readiness_processor", "readiness_collector"}


def test_each_runs_always_and_only_once_at_a_time(dag: DAG) -> None:
    assert isinstance(dag.timetable, ContinuousTimetable)
    assert dag.max_active_runs == 1
    assert dag.catchup is False


def test_none_is_ever_paused_by_airflow(dag: DAG) -> None:
    assert dag.max_consecutive_failed_dag_runs == 0
    assert dag.is_paused_upon_creation is False


def test_each_task_is_tried_again(dag: DAG) -> None:
    assert {task.retries for task in dag.tasks} == {5}
    assert {task.retry_delay for task in dag.tasks} == {timedelta(seconds=1)}


def test_the_collectors_tasks_take_turns_in_a_pool_before_every_other_task() -> None:
    collector = _by_id()["readiness_collector"]
    assert len(collector.tasks) > 1
    assert {task.pool for task in collector.tasks} == {"readiness_collector"}
    # also where somebody has widened the pool
    assert collector.max_active_tasks == 1
    assert not any(task.upstream_task_ids for task in collector.tasks)
    weights = [task.priority_weight for task in collector.tasks]
    assert weights == sorted(weights, reverse=True)
    assert min(weights) > 900
    assert {task.weight_rule for task in collector.tasks} == {"absolute"}


@pytest.fixture
def processor() -> Any:
    """The task that starts in the triggerer."""
    return _task(_by_id()["readiness_processor"])


def test_the_processor_starts_in_the_triggerer_and_its_trigger_takes_what_it_is_given(processor: Any) -> None:
    assert processor.start_from_trigger is True
    arguments = processor.start_trigger_args
    assert arguments.trigger_cls in FROZEN
    module, _, name = arguments.trigger_cls.rpartition(".")
    trigger = getattr(__import__(module, fromlist=[name]), name)(**arguments.trigger_kwargs)
    assert trigger.serialize() == (arguments.trigger_cls, arguments.trigger_kwargs)


def test_the_processor_rotates_before_a_worker_would_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__READINESS__FALLBACK", "100")
    arguments = _task(_by_id()["readiness_processor"]).start_trigger_args
    assert arguments.timeout == timedelta(seconds=100)
    assert arguments.trigger_kwargs["rotate"] == 90


def test_the_sources_are_outlets_of_the_collector_alone() -> None:
    dags = _by_id(sources=["b.t", "a.t", "b.t"])
    tasks: list[Any] = dags["readiness_collector"].tasks
    first, *others = tasks
    assert first.outlets == [source("a.t"), source("b.t")]
    # one producer is enough for the asset graph
    assert not any(task.outlets for task in others)
    assert all(task.sources == ["a.t", "b.t"] for task in (first, *others))
    assert _task(dags["readiness_processor"]).outlets == []


def test_a_source_that_is_none_is_refused() -> None:
    with pytest.raises(BadName, match="'sales'"):
        readiness_dags(sources=["sales"])


def test_the_arguments_of_both_dags_can_be_given() -> None:
    for dag in readiness_dags(tags=["core"], default_args={"owner": "platform"}):
        assert dag.tags == {"core"}
        assert _task(dag).owner == "platform"


def test_airflow_stores_the_processor_with_its_trigger() -> None:
    stored = DagSerialization.from_dict(DagSerialization.to_dict(_by_id()["readiness_processor"]))
    (task,) = stored.tasks
    assert task.start_from_trigger is True
    assert task.start_trigger_args is not None
    assert task.start_trigger_args.trigger_cls in FROZEN
