"""Puts task instances into ``deferred``: a process of the bench, with the settings of its deployment.

Five thousand real workers would take half an hour. So this makes a run of some DAGs, and calls for each of
its tasks what Airflow calls: the execution API's change of state, as when a worker defers, or the
scheduler's ``schedule_tis``, which starts from the trigger. It reads one JSON object from each line of its
input, ``{"dag_ids": […], "moment": seconds since the epoch}``, and answers each with the instant at which
all of that was committed, in one transaction.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from collections.abc import Iterable
from typing import Any

from airflow.api_fastapi.execution_api.datamodels.taskinstance import TIDeferredStatePayload
from airflow.api_fastapi.execution_api.routes import task_instances as route
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
from airflow.models.connection import Connection
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk.serde import serialize
from airflow.triggers.base import BaseTrigger
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, IntermediateTIState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import update
from sqlalchemy.orm import Session

from airflow_readiness_triggers.ready import ReadyTrigger
from tests.bench.waiting import ANSWER, DAY, RUN, source_of


def read_dags() -> None:
    """Write the DAGs of the DAG folder into Airflow's database, as ``airflow dags reserialize`` does."""
    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    (bundle,) = manager.get_all_dag_bundles()
    bundle.initialize()
    bag = BundleDagBag(bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
    sync_bag_to_db(bag, bundle.name, bundle_version=None)
    if bag.import_errors:
        raise RuntimeError(str(bag.import_errors))


def add_connections(connections: dict[str, dict[str, Any]]) -> None:
    """Put connections into Airflow's database, where operators have them."""
    with create_session() as session:
        for conn_id, fields in connections.items():
            session.add(Connection(conn_id=conn_id, **fields))


def defer(dag_ids: Iterable[str], moment: dt.datetime) -> float:
    """Make one run of each DAG and defer all of its tasks. When that was committed."""
    noon = dt.datetime.combine(DAY, dt.time(12), dt.timezone.utc)
    with create_session() as session:
        bag = DBDagBag()
        for dag_id in dag_ids:
            dag = bag.get_latest_version_of_dag(dag_id, session=session)
            assert dag, dag_id
            run = dag.create_dagrun(
                run_id=RUN,
                logical_date=noon,
                data_interval=(noon, noon),
                run_after=noon,
                conf={"moment": moment.isoformat()},
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.TEST,
                state=DagRunState.RUNNING,
                session=session,
            )
            instances = run.get_task_instances(session=session)
            if dag.tasks[0].start_from_trigger:
                _as_the_scheduler(run, instances, dag, session)
            else:
                for instance in instances:
                    _as_a_worker(instance, moment, session)
        session.commit()
        return time.time()


def _as_the_scheduler(run: DagRun, instances: list[TaskInstance], dag: Any, session: Session) -> None:
    for instance in instances:
        instance.task = dag.get_task(instance.task_id)
    if run.schedule_tis(instances, session=session):
        raise RuntimeError("a task would go to a worker")


def _as_a_worker(instance: TaskInstance, moment: dt.datetime, session: Session) -> None:
    trigger, method, timeout = _deferral(instance, moment)
    classpath, arguments = trigger.serialize()
    payload = TIDeferredStatePayload(
        state=IntermediateTIState.DEFERRED,
        classpath=classpath,
        trigger_kwargs=serialize(arguments),
        trigger_timeout=timeout,
        next_method=method,
        next_kwargs={},
    )
    query, _, _ = route._create_ti_state_update_query_and_update_state(
        ti_patch_payload=payload,
        task_instance_id=instance.id,
        query=update(TaskInstance).where(TaskInstance.id == instance.id),
        session=session,
        dag_bag=DBDagBag(),
        dag_id=instance.dag_id,
    )
    session.execute(query.execution_options(synchronize_session=False))


def _deferral(instance: TaskInstance, moment: dt.datetime) -> tuple[BaseTrigger, str, dt.timedelta | None]:
    """What the task would defer with: trigger, method, timeout."""
    if instance.dag_id.startswith("ready"):
        trigger = ReadyTrigger(source_of(instance.dag_id, instance.task_id), DAY.isoformat())
        return trigger, "resume", dt.timedelta(days=1)
    return DateTimeTrigger(moment=moment), "execute_complete", None


def main() -> None:
    """Serve until the input ends."""
    add_connections(json.loads(sys.argv[1]))
    read_dags()
    for line in sys.stdin:
        order = json.loads(line)
        committed = defer(order["dag_ids"], dt.datetime.fromtimestamp(order["moment"], dt.timezone.utc))
        print(f"\n{ANSWER}{json.dumps(committed)}", flush=True)


if __name__ == "__main__":
    main()
