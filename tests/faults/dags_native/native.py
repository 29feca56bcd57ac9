"""The flows of a campaign on Airflow's own assets, and a DAG for each source that publishes its asset."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, Context, PartitionedAssetTimetable
from airflow.sdk.definitions.asset import BaseAsset

from tests.faults.breakages import die_when_told
from tests.faults.model import sources
from tests.faults.native import NativeSensor

FOLDER = Path(os.environ["FAULTS_FOLDER"])
FLOWS = json.loads((FOLDER / "flows.json").read_text())


class MortalSensor(NativeSensor):
    """Killed before or after it has said what it publishes, once for each file ``die-…``."""

    def publish(self, context: Context, event: Any) -> None:
        die_when_told(FOLDER, "before")
        super().publish(context, event)
        die_when_told(FOLDER, "after")


def condition(of: Any) -> BaseAsset:
    if isinstance(of, str):
        return Asset(of)
    ((kind, parts),) = of.items()
    first, *others = (condition(part) for part in parts)
    for each in others:
        first = first & each if kind == "all" else first | each
    return first


for name, waits_for in FLOWS.items():
    with DAG(name, schedule=PartitionedAssetTimetable(assets=condition(waits_for)), max_active_runs=64):
        EmptyOperator(task_id="start")

for source in sorted({each for waits_for in FLOWS.values() for each in sources(waits_for)}):
    with DAG(f"native_{source}", schedule=None, max_active_runs=64):
        MortalSensor(task_id="wait", outlets=[Asset(source)], retries=5, retry_delay=timedelta(seconds=5))
