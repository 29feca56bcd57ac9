"""What Airflow's metadata database knows of flows, events and runs. For the API server and the CLI only.

The models are Airflow's internals: they are imported here and nowhere else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from airflow.api.common.trigger_dag import trigger_dag
from airflow.configuration import conf as airflow_conf
from airflow.exceptions import DagNotFound, DagRunAlreadyExists
from airflow.jobs.job import Job, JobState
from airflow.models.asset import (
    AssetActive,
    AssetEvent,
    AssetModel,
    AssetPartitionDagRun,
    DagScheduleAssetReference,
)
from airflow.models.dag import DagModel
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.errors import ParseImportError
from airflow.models.pool import Pool
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import and_, exists, func, select, update
from sqlalchemy.orm import Session

from airflow_readiness.core.names import ALARMS, COLLECTOR, LAUNCH_GROUP, PROCESSOR, SOURCE_GROUP


@dataclass(frozen=True, slots=True)
class FlowSeen:
    """A DAG that is scheduled on a launch asset."""

    dag_id: str
    paused: bool
    #: its file does not import, is gone, or its asset is not active (yet)
    broken: bool
    asset_extra: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EventSeen:
    """The first asset event of a launch or a source with this partition key."""

    group: str
    name: str
    partition_key: str
    at: dt.datetime
    asset_extra: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """One look. A pair is (dag_id, partition key)."""

    flows: list[FlowSeen]
    events: list[EventSeen]
    #: pair → run_id; none: there is no run, and none is on its way
    runs: dict[tuple[str, str], str | None]
    #: how many triggerers have a healthy heartbeat
    triggerers: int = 0
    #: those of our own DAGs that are paused
    paused: tuple[str, ...] = ()
    #: DAGs whose file does not import: Airflow may have forgotten what they are scheduled on
    unreadable: list[str] = field(default_factory=list)


def look(since: dt.datetime, wanted: Iterable[tuple[str, str]]) -> Seen:
    """Look at flows, at events since an instant, and at the runs of these pairs; blocking."""
    with create_session() as session:
        # before the flows: one that is mended between the two is found
        unreadable = _unreadable(session)
        return Seen(
            _flows(session),
            _events(session, since),
            _runs(session, set(wanted)),
            _triggerers(session),
            _paused(session),
            unreadable,
        )


def _flows(session: Session) -> list[FlowSeen]:
    active = exists().where(and_(AssetActive.name == AssetModel.name, AssetActive.uri == AssetModel.uri))
    rows = session.execute(
        select(
            DagModel.dag_id,
            DagModel.is_paused,
            DagModel.is_stale,
            DagModel.has_import_errors,
            active.label("active"),
            AssetModel.extra,
        )
        .join(DagScheduleAssetReference, DagScheduleAssetReference.dag_id == DagModel.dag_id)
        .join(AssetModel, AssetModel.id == DagScheduleAssetReference.asset_id)
        .where(AssetModel.group == LAUNCH_GROUP)
        # one look is compared with the next, and Airflow rewrites these rows all the time
        .order_by(DagModel.dag_id, AssetModel.name)
    )
    return [
        FlowSeen(row.dag_id, row.is_paused, row.is_stale or row.has_import_errors or not row.active, row.extra)
        for row in rows
    ]


def _unreadable(session: Session) -> list[str]:
    # not DagModel.has_import_errors: that stays when a broken file is deleted
    same_file = and_(
        ParseImportError.bundle_name == DagModel.bundle_name,
        ParseImportError.filename == DagModel.relative_fileloc,
    )
    dag_ids = session.scalars(
        select(DagModel.dag_id).join(ParseImportError, same_file).order_by(DagModel.dag_id)
    )
    return list(dict.fromkeys(dag_ids))


def _events(session: Session, since: dt.datetime) -> list[EventSeen]:
    first = func.min(AssetEvent.timestamp)
    rows = session.execute(
        select(AssetModel.id, AssetEvent.partition_key, first.label("at"))
        .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        .where(
            AssetModel.group.in_([LAUNCH_GROUP, SOURCE_GROUP]),
            AssetEvent.partition_key.is_not(None),
            AssetEvent.timestamp >= since,
        )
        .group_by(AssetModel.id, AssetEvent.partition_key)
    ).all()
    assets = {
        asset.id: asset
        for asset in session.scalars(select(AssetModel).where(AssetModel.id.in_({row.id for row in rows})))
    }
    return [
        EventSeen(assets[row.id].group, assets[row.id].name, row.partition_key, row.at, assets[row.id].extra)
        for row in rows
    ]


def _runs(session: Session, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], str | None]:
    dag_ids, keys = {dag_id for dag_id, _ in wanted}, {key for _, key in wanted}
    if not wanted:
        return {}
    # First what is on its way, then what has come: a run that is made between the two is found.
    queued = session.execute(
        select(AssetPartitionDagRun.target_dag_id, AssetPartitionDagRun.partition_key).where(
            AssetPartitionDagRun.target_dag_id.in_(dag_ids), AssetPartitionDagRun.partition_key.in_(keys)
        )
    )
    on_its_way = {(row.target_dag_id, row.partition_key) for row in queued}
    found: dict[tuple[str, str], str | None] = {
        (row.dag_id, row.partition_key): row.run_id
        for row in session.execute(
            select(DagRun.dag_id, DagRun.partition_key, DagRun.run_id).where(
                DagRun.dag_id.in_(dag_ids), DagRun.partition_key.in_(keys)
            )
        )
    }
    return {pair: found.get(pair) for pair in wanted if pair in found or pair not in on_its_way}


def _triggerers(session: Session) -> int:
    healthy = dt.timedelta(seconds=airflow_conf.getfloat("triggerer", "triggerer_health_check_threshold"))
    alive = select(func.count()).where(
        Job.job_type == "TriggererJob",
        Job.state == JobState.RUNNING,
        Job.latest_heartbeat > dt.datetime.now(dt.timezone.utc) - healthy,
    )
    return session.scalar(alive) or 0


def _paused(session: Session) -> tuple[str, ...]:
    ours = select(DagModel.dag_id).where(
        DagModel.dag_id.in_([PROCESSOR, COLLECTOR, ALARMS]), DagModel.is_paused
    )
    return tuple(session.scalars(ours.order_by(DagModel.dag_id)))


def run_id(partition_key: str, rerun: int = 0) -> str:
    """The id of the run that :func:`start_run` makes; of the first rerun, and so on."""
    again = f"__rerun_{rerun}" if rerun else ""
    return f"{DagRunType.ASSET_TRIGGERED.value}__readiness__{partition_key}{again}"


def start_run(dag_id: str, partition_key: str, conf: dict[str, Any], rerun: int = 0) -> bool:
    """Start one flow for one date, and nothing else; blocking. False if it was started so before.

    The Task SDK cannot do this: its client (3.3.2) leaves the partition key out.

    :param rerun: 0: it missed its launch; else the number of the rerun
    """
    try:
        trigger_dag(
            dag_id=dag_id,
            # the same name each time, so that Airflow refuses a second one
            run_id=run_id(partition_key, rerun),
            run_type=DagRunType.ASSET_TRIGGERED,
            triggered_by=DagRunTriggeredByType.ASSET,
            partition_key=partition_key,
            conf=conf,
            note="Started again by readiness: a source that it went without came late."
            if rerun
            else "Started by readiness: this flow missed its launch, being paused, broken or not yet there.",
        )
    except DagRunAlreadyExists:
        return False
    return True


def start_again(
    dag_id: str,
    partition_key: str,
    conf: dict[str, Any],
    *,
    run_id: str,
    by: str,
    note: str,
    by_ui: bool = False,
) -> None:
    """Start one flow for one date once more, because somebody asks for it; blocking.

    :param run_id: begins with ``manual__``
    :param by: the user, as Airflow shows it with the run
    :param by_ui: whether that was in Airflow's UI
    """
    trigger_dag(
        dag_id=dag_id,
        run_id=run_id,
        run_type=DagRunType.MANUAL,
        triggered_by=DagRunTriggeredByType.UI if by_ui else DagRunTriggeredByType.CLI,
        triggering_user_name=by,
        partition_key=partition_key,
        conf=conf,
        note=note,
    )


def fail_run(dag_id: str, partition_key: str, conf: dict[str, Any]) -> bool:
    """Make one flow a run for one date whose tasks have failed; blocking. False if it has that run.

    The scheduler finds such a run failed, and does all that it does then: callbacks, listeners, alerts.
    Cleared, it runs.
    """
    name = run_id(partition_key)
    if DagRun.find_duplicate(dag_id=dag_id, run_id=name):
        return False
    with create_session() as session:
        dag = DBDagBag().get_latest_version_of_dag(dag_id, session=session)
        if dag is None:
            raise DagNotFound(f"there is no DAG {dag_id!r}")
        run = dag.create_dagrun(
            run_id=name,
            run_after=dt.datetime.now(dt.timezone.utc),
            conf=conf,
            run_type=DagRunType.ASSET_TRIGGERED,
            triggered_by=DagRunTriggeredByType.ASSET,
            state=DagRunState.RUNNING,
            partition_key=partition_key,
            partition_date=dag.timetable.resolve_partition_date(partition_key),
            note="Failed by readiness: a source that says on_deadline = fail was missed. Cleared, it runs.",
            session=session,
        )
        for instance in run.get_task_instances(session=session):
            first = not dag.get_task(instance.task_id).upstream_task_ids
            instance.state = TaskInstanceState.FAILED if first else TaskInstanceState.UPSTREAM_FAILED
    return True


def keep_pool(name: str) -> bool:
    """See to it that this pool is there, with one slot that deferred tasks hold too; blocking.

    :return: whether it was not so
    """
    with create_session() as session:
        pool = session.scalar(select(Pool).where(Pool.pool == name))
        if pool and (pool.slots, pool.include_deferred) == (1, True):
            return False
        text = "airflow-readiness: the collector's tasks publish one after the other. Kept at one slot."
        Pool.create_or_update_pool(name, 1, text, include_deferred=True, session=session)
        return True


def hasten(dag_id: str) -> int:
    """Let the deferred tasks of a DAG time out now; blocking. How many there were.

    The scheduler looks every ``[scheduler] trigger_timeout_check_interval`` (15 s) and resumes them on
    a worker, as if their trigger had not answered in time.
    """
    now = dt.datetime.now(dt.timezone.utc)
    with create_session() as session:
        done = session.execute(
            update(TaskInstance)
            .where(
                TaskInstance.dag_id == dag_id,
                TaskInstance.state == TaskInstanceState.DEFERRED,
                TaskInstance.trigger_timeout > now,
            )
            .values(trigger_timeout=now)
            .execution_options(synchronize_session=False)
        )
        return int(getattr(done, "rowcount", 0))
