"""The two DAGs of readiness, in a few lines of a DAG file: ``readiness_dags()``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

import pendulum
from airflow.sdk import DAG, Asset, TaskGroup

from airflow_readiness.collector import CollectOperator
from airflow_readiness.core.names import COLLECTOR, POOL, PROCESSOR
from airflow_readiness.processor import ProcessOperator
from airflow_readiness.schedule import sources as assets_of

#: Tasks of a collector's run; each publishes one batch.
TURNS: Final = 20


def readiness_dags(*, sources: Iterable[str] = (), **dag_arguments: Any) -> tuple[DAG, DAG]:
    """The processor and the collector. Call it once per deployment, at the top of a DAG file.

    :param sources: names (``database.table``) that are known when the file is parsed: the asset graph
        shows the collector as their producer. Others are published all the same
    :param dag_arguments: passed on to both DAGs (``tags``, ``default_args``, …)
    :raises BadName: if a source's name is not ``database.table``
    """
    arguments: dict[str, Any] = {
        "start_date": pendulum.datetime(2024, 1, 1, tz="UTC"),
        "schedule": "@continuous",
        "catchup": False,
        "max_active_runs": 1,
        # Airflow would pause the DAG, and with it every launch, without a word
        "max_consecutive_failed_dag_runs": 0,
        "is_paused_upon_creation": False,
        "tags": ["readiness"],
        **dag_arguments,
    }
    task: dict[str, Any] = {"retries": 5, "retry_delay": timedelta(seconds=1)}
    with DAG(PROCESSOR, description="Source logs → readiness → launches → Redis", **arguments) as processor:
        ProcessOperator(task_id="process", **task)
    # one task on a worker at a time, also in the seconds after somebody has widened the pool
    one: dict[str, Any] = {"max_active_tasks": 1, **arguments}
    with DAG(COLLECTOR, description="Launches and sources → asset events", **one) as collector:
        _collect(assets_of(sources), task)
    return processor, collector


def _collect(assets: list[Asset], arguments: dict[str, Any]) -> None:
    """The collector's tasks: one at a time, the next one at once.

    All of a run's tasks are scheduled from its start and wait for the one slot of their pool, which a
    deferred one holds too. So the next batch needs no look of Airflow's scheduler at the run, which comes
    late when a batch has just made a hundred runs of flows.
    """
    with TaskGroup("collect"):
        for turn in range(TURNS):
            CollectOperator(
                task_id=f"turn_{turn:02}",
                sources=[asset.name for asset in assets],
                # for the asset graph, where one producer is enough
                outlets=assets if turn == 0 else [],
                pool=POOL,
                # a launch waits for no task of a flow
                priority_weight=1000 - turn,
                weight_rule="absolute",
                **arguments,
            )
