"""Where the time of a launch goes, from what Postgres, Airflow's database and the tasks' logs say of it."""

from __future__ import annotations

import datetime as dt
import json
import statistics
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.bench.deployment import Deployment

#: What has happened by each instant, in order.
STAGES = (
    "the processor has decided (Postgres)",
    "the collector's trigger has fired (Redis)",
    "the triggerer has handed over, the scheduler has queued the collector",
    "its worker has started",
    "it has asked Airflow and marked the attempt",
    "Airflow has recorded the event",
    "the scheduler has created the flow's run",
    "the scheduler has queued its first task",
    "the task's worker has started",
    "its first line",
)


def of_launch(
    running: Deployment, condition: str, flow: str, day: dt.date, committed: float
) -> list[float] | None:
    """Seconds since the commit of the log row by which each stage was over.

    None: the collector was just looking from a worker, and no trigger fired.
    """
    (ours,) = running.stack.sql(
        "select decided_at, attempted_at from readiness.launch where condition = $1 and business_date = $2",
        condition,
        day,
    )
    query = (
        "select e.timestamp as recorded, c.queued_dttm as collector_queued, c.run_id, c.task_id, r.created_at, "
        "t.queued_dttm, t.start_date from asset_event as e join asset as a on a.id = e.asset_id "
        "join task_instance as c on (c.dag_id, c.task_id, c.run_id) = "
        "(e.source_dag_id, e.source_task_id, e.source_run_id) "
        "join dag_run as r on r.dag_id = $2 and r.partition_key = e.partition_key "
        "join task_instance as t on (t.dag_id, t.run_id) = (r.dag_id, r.run_id) "
        "where a.name = $1 and e.partition_key = $3"
    )
    (airflow,) = running.stack.sql(query, condition, flow, day.isoformat(), database="airflow")
    logs = running.stack.folder / "airflow" / "logs" / "dag_id=readiness_collector"
    run = logs / f"run_id={airflow['run_id']}" / f"task_id={airflow['task_id']}"
    fired = _said(run.glob("*.trigger.*.log"), "Trigger fired event")
    began = _said(run.glob("attempt=1.log"), "Pre Execute")
    if fired is None or began is None:
        return None
    instants = [
        ours["decided_at"],
        fired,
        airflow["collector_queued"],
        began,
        ours["attempted_at"],
        *(airflow[name] for name in ("recorded", "created_at", "queued_dttm", "start_date")),
    ]
    seconds = [instant.timestamp() - committed for instant in instants]
    return [*seconds, running.began(flow)[day.isoformat()] - committed]


def _said(logs: Iterable[Path], event: str) -> dt.datetime | None:
    """When these logs last said so; none if they did not."""
    lines: list[dict[str, Any]] = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    last = max((line["timestamp"] for line in lines if event in line["event"]), default=None)
    return last and dt.datetime.fromisoformat(last.replace("Z", "+00:00"))


def medians(launches: list[list[float] | None]) -> dict[str, float]:
    """The median length of each stage, in seconds; empty if there was none to measure."""
    measured = [launch for launch in launches if launch]
    lengths = [[after - before for before, after in pairwise([0.0, *launch])] for launch in measured]
    if not lengths:
        return {}
    return {
        stage: statistics.median(each) for stage, each in zip(STAGES, zip(*lengths, strict=True), strict=True)
    }
