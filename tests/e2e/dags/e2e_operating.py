"""The flows of the tests of what operators do by hand."""

from typing import Any

from airflow.sdk import DAG, get_current_context, task

from airflow_readiness import launch, ready, source


@task
def why() -> dict[str, Any]:
    return launch(get_current_context()).to_json()


FLOWS = {
    "hand_marked": source("hand.marked") & source("hand.logged"),
    "hand_skipped": source("hand.skipped") & source("hand.logged"),
    "hand_extended": source("hand.extended"),
    "hand_filled": source("hand.filled"),
    "hand_beside": source("hand.filled"),
}
for dag_id, condition in FLOWS.items():
    with DAG(dag_id, schedule=ready(condition)):
        why()
