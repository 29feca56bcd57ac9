"""The flows of a campaign, and the two DAGs of readiness; a worker that publishes dies when told so."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.sdk.definitions.asset import BaseAsset

from airflow_readiness import dag_factory, readiness_dags, ready, source
from airflow_readiness.collector import CollectOperator
from tests.faults.breakages import die_when_told

FOLDER = Path(os.environ["FAULTS_FOLDER"])


def condition(of: Any) -> BaseAsset:
    if isinstance(of, str):
        return source(of)
    ((kind, parts),) = of.items()
    first, *others = (condition(part) for part in parts)
    for each in others:
        first = first & each if kind == "all" else first | each
    return first


def flow(dag_id: str, of: Any) -> None:
    with DAG(dag_id, schedule=ready(condition(of)), max_active_runs=64):
        EmptyOperator(task_id="start")


for name, waits_for in json.loads((FOLDER / "flows.json").read_text()).items():
    flow(name, waits_for)


class MortalCollector(CollectOperator):
    """Killed before or after it has said what it publishes, once for each file ``die-…``."""

    def publish(self, context: Any, event: Mapping[str, Any] | None = None, **how: Any) -> None:
        die_when_told(FOLDER, "before")
        super().publish(context, event, **how)
        if self.outlets:
            die_when_told(FOLDER, "after")


vars(dag_factory)["CollectOperator"] = MortalCollector
processor, collector = readiness_dags()
