"""The two DAGs of readiness, in a few lines of a DAG file: ``readiness_dags()``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG

from airflow_readiness.collector import CollectOperator
from airflow_readiness.core.names import COLLECTOR, PROCESSOR
from airflow_readiness.processor import ProcessOperator
from airflow_readiness.schedule import sources as assets_of


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
    with DAG(COLLECTOR, description="Launches and sources → asset events", **arguments) as collector:
        CollectOperator(task_id="collect", outlets=assets_of(sources), **task)
    return processor, collector
