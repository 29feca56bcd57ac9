"""The DAGs of the triggerer's bench: ReadySensors, and Airflow's own DateTimeSensorAsync beside them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

#: DAG and task.
Task: TypeAlias = "tuple[str, str]"

#: The business date of every run, and the run's id.
DAY: Final = dt.date(2026, 11, 22)
RUN: Final = "bench"
#: Before each answer of ``deferred``: Airflow may log to the same output.
ANSWER: Final = "answer: "
#: The two kinds of sensor.
KINDS: Final = ("ready", "moment")

_FILE = """
from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.sdk import DAG

from airflow_readiness import ReadySensor


def sensor(kind, dag_id, task_id, start):
    if kind == "ready":
        ReadySensor(task_id=task_id, condition=f"{dag_id}.{task_id}", start_from_trigger=start)
    else:
        moment = "{{ dag_run.conf['moment'] }}"
        DateTimeSensorAsync(task_id=task_id, target_time=moment, start_from_trigger=start)


for kind, mode, dag_id, tasks in %s:
    with DAG(dag_id, schedule=None) as dag:
        for number in range(tasks):
            sensor(kind, dag_id, f"wait_{number:03}", mode == "trigger")
    globals()[dag_id] = dag
"""


@dataclass(frozen=True, slots=True)
class Group:
    """DAGs of both kinds whose tasks begin to wait in the same way."""

    mode: str
    dags: int
    #: of each DAG
    tasks: int

    def dag_ids(self, kind: str) -> list[str]:
        """Its DAGs of one kind."""
        return [f"{kind}_{self.mode}_{number:03}" for number in range(self.dags)]

    def waiting(self, kind: str) -> list[Task]:
        """Its tasks of one kind."""
        return [(dag_id, f"wait_{number:03}") for dag_id in self.dag_ids(kind) for number in range(self.tasks)]


def source_of(dag_id: str, task_id: str) -> str:
    """The source that a task waits for: one of its own."""
    return f"{dag_id}.{task_id}"


def dag_file(groups: Iterable[Group]) -> str:
    """A DAG file with all DAGs of these."""
    wanted = [
        (kind, group.mode, dag_id, group.tasks)
        for group in groups
        for kind in KINDS
        for dag_id in group.dag_ids(kind)
    ]
    return _FILE % wanted
