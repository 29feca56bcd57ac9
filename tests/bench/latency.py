"""How long from the commit of a log row to the first task of the flow: ``make bench``.

Each launch is a business date of its own, in a deployment where nothing else is going on. Beside
it, in the same run, Airflow's own floor: an asset event posted by REST to the first task of a
flow that is scheduled on that asset. Writes ``bench.json``.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from airflow_readiness.demo.processes import wait_until
from airflow_readiness.demo.scenario import noon_timezone
from airflow_readiness.demo.stack import Stack, stack

LAUNCHES = int(os.environ.get("LAUNCHES", "25"))
DAGS = """
from airflow.sdk import DAG, Asset, PartitionedAssetTimetable, task
from airflow_readiness import readiness_dags, ready, source

processor, collector = readiness_dags()

@task
def first():
    pass

with DAG("launched", schedule=ready(source("bench.a") & source("bench.b"))):
    first()

with DAG("floor", schedule=PartitionedAssetTimetable(assets=Asset("floor"))):
    first()
"""


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


def first_task(running: Stack, dag_id: str, key: str) -> dt.datetime | None:
    """When the first task of the run for this date started."""
    for run in running.rest.runs(dag_id):
        if run["partition_key"] == key:
            start = running.rest.tasks(dag_id, run["dag_run_id"])["first"]["start_date"]
            return utc(start) if start else None
    return None


def wait_for_first_task(running: Stack, dag_id: str, key: str) -> dt.datetime:
    """The same, once it has."""
    wait_until(lambda: first_task(running, dag_id, key) is not None, 60, f"{dag_id} for {key}", pause=0.25)
    started = first_task(running, dag_id, key)
    assert started is not None
    return started


def launched(running: Stack, day: dt.date) -> float:
    """Seconds from the commit of the log row that completes the condition to the first task."""
    query = (
        "insert into readiness.fm_log (source_database, source_table, business_date) values ('bench', $1, $2)"
    )
    running.sql(
        "select readiness.expect('bench', t, $1, now() + interval '1 hour') from unnest(array['a', 'b']) t", day
    )
    running.sql(query, "a", day)
    quiet(running)
    running.sql(query, "b", day)
    committed = dt.datetime.now(dt.timezone.utc)
    return (wait_for_first_task(running, "launched", day.isoformat()) - committed).total_seconds()


def quiet(running: Stack) -> None:
    """Wait until the collector has nothing left to do and listens again."""

    def listens() -> bool:
        busy = running.sql(
            "select from readiness.processed_log where state <> 'waiting' and event_published_at is null "
            "and source like 'bench.%'"
        )
        runs = running.rest.runs("readiness_collector")
        task = running.rest.tasks("readiness_collector", runs[-1]["dag_run_id"])["collect"] if runs else {}
        return not busy and task.get("state") == "deferred" and bool(task["triggerer_job"])

    wait_until(listens, 60, "a collector that listens", pause=0.5)
    # the phase of Airflow's one-second loops must not be ours
    time.sleep(2 + random.random())


def floor(running: Stack, key: str, asset_id: int) -> float:
    """Seconds from an asset event by REST to the first task of a flow on that asset."""
    time.sleep(1 + random.random())
    running.rest.call(
        "POST", "/api/v2/assets/events", {"asset_id": asset_id, "partition_key": key, "extra": {}}
    )
    posted = dt.datetime.now(dt.timezone.utc)
    return (wait_for_first_task(running, "floor", key) - posted).total_seconds()


def summary(seconds: list[float]) -> dict[str, Any]:
    """Median and worst, in seconds."""
    return {
        "launches": len(seconds),
        "median": round(statistics.median(seconds), 2),
        "worst": round(max(seconds), 2),
        "all": [round(value, 3) for value in seconds],
    }


def measure(folder: Path) -> dict[str, Any]:
    """Start a deployment and measure both, one launch of each in turn."""
    dags = folder / "dags"
    dags.mkdir()
    (dags / "bench.py").write_text(DAGS)
    zone = noon_timezone(dt.datetime.now(dt.timezone.utc))
    extra = {"AIRFLOW__READINESS__TIMEZONE": zone, "AIRFLOW__READINESS__DEFAULT_DEADLINE": "23:59"}
    with stack(
        folder / "state", dags, say=lambda what: print(f"starting {what}", flush=True), extra=extra
    ) as running:
        able = "select from readiness.flow where dag_id = 'launched' and not broken"
        wait_until(lambda: running.sql(able), 120, "the flow", pause=0.5)
        assets = running.rest.call("GET", "/api/v2/assets", name_pattern="floor")["assets"]
        running.sql("update readiness.flow set first_date = current_date - 400")
        today = dt.datetime.now(dt.timezone.utc).date()
        ours, floors = [], []
        for number in range(LAUNCHES + 1):
            day = today - dt.timedelta(days=2 + number)
            ours.append(launched(running, day))
            floors.append(floor(running, day.isoformat(), assets[0]["id"]))
            print(f"{day}: launch {ours[-1]:5.2f} s, floor {floors[-1]:5.2f} s", flush=True)
    # the first of each is cold: the imports of a worker that has never run such a task
    return {"launch": summary(ours[1:]), "floor": summary(floors[1:]), "cores": os.cpu_count()}


def main() -> int:
    """Measure, print, write ``bench.json``."""
    with tempfile.TemporaryDirectory(prefix="readiness-bench-", ignore_cleanup_errors=True) as folder:
        result = measure(Path(folder))
    Path("bench.json").write_text(json.dumps(result, indent=2) + "\n")
    ratio = result["launch"]["median"] / result["floor"]["median"]
    print(f"\n{result['launch']['launches']} launches on {result['cores']} cores")
    print("                                            median   worst")
    for what, key in (("log row committed → first task of the flow", "launch"), ("Airflow's floor", "floor")):
        print(f"{what:42}  {result[key]['median']:5.2f} s {result[key]['worst']:6.2f} s")
    print(f"ratio of the medians                        {ratio:5.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
