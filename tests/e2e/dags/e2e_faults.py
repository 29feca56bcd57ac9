"""The flows of the tests that break things: one waits for a source that logs, one for a deadline."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from airflow_readiness import ready, source

STORIES = (
    "two_triggerers",
    "triggerer_restarted",
    "triggerer_absent",
    "clock_ahead",
    "clock_behind",
    "scheduler",
    "api_restarted",
    "database",
    "collector_paused",
    "processor_paused",
)


def flow(dag_id: str, name: str, *, paused: bool = False) -> None:
    with DAG(dag_id, schedule=ready(source(name)), is_paused_upon_creation=paused):
        EmptyOperator(task_id="start")


for story in STORIES:
    for what in ("ready", "deadline"):
        flow(f"{story}_{what}", f"{story}.{what}")
for when in ("before", "said", "after"):
    flow(f"killed_{when}", f"killed.{when}")
flow("api_down", "api_down.plain")
flow("api_down_paused", "api_down.paused")
flow("api_down_unpaused", "api_down.unpaused", paused=True)
flow("sound_twin", "broken.shared")
