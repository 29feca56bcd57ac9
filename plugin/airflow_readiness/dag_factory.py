"""The DAGs of readiness, in a few lines of a DAG file: ``readiness_dags()``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG

from airflow_readiness.alarms import AlarmOperator, Notifier, named
from airflow_readiness.collector import CollectOperator
from airflow_readiness.core.names import ALARMS, AT_RISK, COLLECTOR, LATE, MISSED, PROCESSOR
from airflow_readiness.processor import ProcessOperator
from airflow_readiness.schedule import sources as assets_of


def readiness_dags(
    *,
    sources: Iterable[str] = (),
    on_missed: Notifier | Iterable[Notifier] = (),
    on_late: Notifier | Iterable[Notifier] = (),
    at_risk: Notifier | Iterable[Notifier] = (),
    **dag_arguments: Any,
) -> tuple[DAG, ...]:
    """The processor and the collector; where somebody is to be told of something, also the alarms.

    Call it once per deployment, at the top of a DAG file. A notifier is told once for each source and
    business date; its templates know ``source``, ``business_date``, ``deadline_at``, ``message``,
    ``board_url`` and what else :func:`airflow_readiness.alarms.alarm_context` returns.

    :param sources: names (``database.table``) that are known when the file is parsed: the asset graph
        shows the collector as their producer. Others are published all the same
    :param on_missed: notifiers of Airflow, or functions that take the context: a deadline has passed
    :param on_late: the same: a source came after its deadline
    :param at_risk: the same: it is usually there by now, or usually comes after its deadline
    :param dag_arguments: passed on to all of these DAGs (``tags``, ``default_args``, …)
    :raises BadName: if a source's name is not ``database.table``
    :raises BadInput: if a notifier is none
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
    given = {
        MISSED: named(on_missed, "on_missed"),
        LATE: named(on_late, "on_late"),
        AT_RISK: named(at_risk, "at_risk"),
    }
    if not any(given.values()):
        return processor, collector
    with DAG(ALARMS, description="Missed, late and endangered sources → notifiers", **arguments) as alarms:
        AlarmOperator(task_id="tell", notifiers={kind: some for kind, some in given.items() if some}, **task)
    return processor, collector, alarms
