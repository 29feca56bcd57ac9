"""The DAGs of readiness; a worker that publishes dies once for each file ``die-…`` in $E2E_FOLDER."""

import json
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, BaseNotifier

from airflow_readiness import collector as collector_module
from airflow_readiness import dag_factory, dbt_sources, readiness_dags
from airflow_readiness.collector import CollectOperator, Events
from airflow_readiness.core.document import Launch


def die(when: str, assets: Iterable[Any], *more: int) -> None:
    """Kill these processes and this one, if told so for this moment and one of these assets."""
    for order in Path(os.environ["E2E_FOLDER"]).glob(f"die-{when}-*"):
        if any(order.name.removeprefix(f"die-{when}-") in asset.name for asset in assets):
            order.unlink()
            for pid in (*more, os.getpid()):
                os.kill(pid, signal.SIGKILL)


launch_events = vars(collector_module)["_launch_events"]


def mortal_launch_events(launches: Sequence[Launch]) -> Events:
    """Marked as attempted in Postgres; Airflow has not been told anything."""
    events: Events = launch_events(launches)
    die("before", events)
    return events


def reported(context: Any) -> None:
    """Airflow calls this when the server has recorded the success; the supervisor goes too."""
    die("after", [asset for asset in context["task"].outlets if isinstance(asset, Asset)], os.getppid())


class MortalCollector(CollectOperator):
    """Killed before it says what it publishes, between that and success, or after, when told so."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(on_success_callback=reported, **kwargs)

    def publish(self, context: Any, event: Mapping[str, Any] | None = None, **how: Any) -> None:
        super().publish(context, event, **how)
        die("said", self.outlets)


vars(collector_module)["_launch_events"] = mortal_launch_events
vars(dag_factory)["CollectOperator"] = MortalCollector


class Notes(BaseNotifier):
    """Notes each alarm in a file."""

    template_fields = ("note",)

    def __init__(self) -> None:
        super().__init__()
        self.note = {
            "source": "{{ source }}",
            "business_date": "{{ business_date }}",
            "text": "{{ message }}",
            "url": "{{ board_url }}",
        }

    def notify(self, context: Any) -> None:
        with Path(os.environ["E2E_FOLDER"], "alarms").open("a") as file:
            print(json.dumps(self.note), file=file)


# a test puts the dbt project there; until then there is none, and the collector works
SOURCES = ["e2e.control", *dbt_sources("dbt_sales/target/manifest.json")]
processor, collector, alarms = readiness_dags(sources=SOURCES, on_missed=Notes())
