"""The flows of the end-to-end tests; each test has sources of its own."""

from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, get_current_context, task

from airflow_readiness import ReadySensor, at_least, launch, ready, source


@task
def why() -> dict[str, Any]:
    return launch(get_current_context()).to_json()


def flow(dag_id: str, condition: Any, *, explain: bool = False, **arguments: Any) -> None:
    with DAG(dag_id, schedule=ready(condition), **arguments):
        if explain:
            why()
        else:
            EmptyOperator(task_id="start")


flow("control", source("e2e.control"))
flow("mixed_dates", source("mixed.a") & source("mixed.b"))
flow("either", source("either.a") | source("either.b"), explain=True)
flow("twin_1", source("twin.a") & source("twin.b"))
flow("twin_2", source("twin.b") & source("twin.a"))
flow("shared_1", source("shared.a"))
flow("shared_2", source("shared.a") & source("shared.b"))
flow("paused_alone", source("paused.a"), is_paused_upon_creation=True)
flow("paused_beside", source("beside.a"), is_paused_upon_creation=True)
flow("running_beside", source("beside.a"))
flow("repair_shared", source("repair.a"))
flow("repair_paused", source("repair.a"), explain=True, is_paused_upon_creation=True)
flow("forty", source("forty.a") & source("forty.b"))
flow("few_rows", source("few.a"))
flow("by_deadline", source("deadline.a") & source("deadline.b"), explain=True)
flow("three_dates", source("three.a"), explain=True)
flow("changed_settings", source("changed.a"))
flow("lineage", source("lineage.a") & source("lineage.b"))
for part in ("live", "acted", "calm", "moved", "missed"):
    flow(f"board_{part}", source(f"board.{part}"))
flow("board_paused", source("board.missed"), is_paused_upon_creation=True)
for part in ("postgres", "redis"):
    flow(f"outage_{part}", source(f"outage.{part}"))
for number in range(20):
    flow(f"half_{number:02}", source(f"half.a{number}") & source("half.never"))
flow("half_complete", source("half.a0") & source("half.complete"))
flow("cond_some", at_least(2, source("cond.a"), source("cond.b"), source("cond.idle")), explain=True)
flow("cond_rerun", source("cond.a") & source("cond.late"))
flow("cond_fails", source("cond.a") & source("cond.must"))
# it is about noon
flow("cond_own", source("cond.never").deadline("06:30"))
flow("cond_skipped", source("cond.never").deadline("06:30", on="skip"))

with DAG("gated", schedule=ready(source("gated.first"))):
    ReadySensor(task_id="wait", condition="gated.second") >> EmptyOperator(task_id="after")

with DAG("sensor_by_logical_date", schedule=None):
    ReadySensor(task_id="wait", condition="gated.second", start_from_trigger=True)

for dag_id, from_trigger in (("sensor_from_worker", False), ("sensor_from_trigger", True)):
    with DAG(dag_id, schedule=None):
        wait = ReadySensor(
            task_id="wait",
            condition=source("sensor.a") & source("sensor.b"),
            business_date="{{ dag_run.conf['day'] }}",
            start_from_trigger=from_trigger,
        )
        wait >> EmptyOperator(task_id="after")
