"""What a screen of the board asks of Airflow's metadata, each in one query. All of it blocks.

The models are Airflow's internals: here, in ``access.py`` and in ``airflow_metadata.py``, and nowhere else.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from airflow.configuration import conf
from airflow.jobs.job import Job, JobState
from airflow.models.asset import AssetActive, AssetModel, AssetPartitionDagRun, DagScheduleAssetReference
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import ColumnElement, and_, exists, func, or_, select, true

from airflow_readiness.core.condition import Condition
from airflow_readiness.core.names import LAUNCH_GROUP, SOURCE_GROUP
from airflow_readiness.errors import BadInput
from airflow_readiness.schedule import condition_of_asset

#: Runs of a date are looked for among those made from the day before it on, for so many days: by index.
_BEFORE: Final = dt.timedelta(days=1)
_AFTER: Final = dt.timedelta(days=9)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A condition, with what it takes a while to say."""

    condition: Condition
    text: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow in Airflow, and what it has of one date."""

    dag_id: str
    #: none: this version of readiness cannot read it
    waits_for: Parsed | None
    paused: bool
    broken: bool
    run_id: str | None
    run_state: str | None
    queued_at: dt.datetime | None
    #: Airflow has the event, and its scheduler is about to make the run
    on_its_way: bool


@dataclass(frozen=True, slots=True)
class Theirs:
    """One look."""

    flows: dict[str, Flow]
    #: healthy triggerers
    triggerers: int
    #: (flow, partition key) of all DAGs that wait for further events, of which Airflow looks at 500 in one loop
    pending_pairs: int


def on_date(day: dt.date) -> Theirs:
    """Every flow, for a date."""
    return _read(_flows(day.isoformat(), _made_around(day)))


def one_flow(dag_id: str, day: dt.date) -> Theirs:
    """One flow, for a date; none if that DAG is no flow."""
    # by its own index, however long ago
    return _read(_flows(day.isoformat(), None).where(DagModel.dag_id == dag_id))


def flows_of(source: str) -> Theirs:
    """The flows that wait for a source."""
    waits = (
        select(DagScheduleAssetReference.dag_id)
        .join(AssetModel, AssetModel.id == DagScheduleAssetReference.asset_id)
        .where(AssetModel.group == SOURCE_GROUP, AssetModel.name == source)
    )
    return _read(_flows("", None).where(DagModel.dag_id.in_(waits)))


def asset_ids(source: str) -> list[int]:
    """The ids of a source's asset; none if no flow has ever named it."""
    with create_session() as session:
        wanted = select(AssetModel.id).where(AssetModel.group == SOURCE_GROUP, AssetModel.name == source)
        return list(session.scalars(wanted))


def backlog() -> Theirs:
    """No flow; the rest."""
    return _read(_flows("", None).where(DagModel.dag_id.is_(None)))


def _made_around(day: dt.date) -> ColumnElement[bool] | None:
    try:
        midnight = dt.datetime.combine(day, dt.time(), dt.timezone.utc)
        return DagRun.run_after.between(midnight - _BEFORE, midnight + _AFTER)
    except OverflowError:
        return None


def _flows(key: str, made: ColumnElement[bool] | None) -> Any:
    run = and_(DagRun.dag_id == DagModel.dag_id, DagRun.partition_key == key)
    if made is not None:
        run = and_(run, made)
    active = exists().where(and_(AssetActive.name == AssetModel.name, AssetActive.uri == AssetModel.uri))
    on_its_way = exists().where(
        AssetPartitionDagRun.target_dag_id == DagModel.dag_id,
        AssetPartitionDagRun.partition_key == key,
        AssetPartitionDagRun.created_dag_run_id.is_(None),
    )
    return (
        select(
            DagModel.dag_id,
            DagModel.is_paused,
            or_(DagModel.is_stale, DagModel.has_import_errors.is_(True), ~active).label("broken"),
            AssetModel.extra,
            DagRun.run_id,
            DagRun.state,
            func.coalesce(DagRun.queued_at, DagRun.run_after).label("queued_at"),
            on_its_way.label("on_its_way"),
        )
        .join(DagScheduleAssetReference, DagScheduleAssetReference.dag_id == DagModel.dag_id)
        .join(AssetModel, AssetModel.id == DagScheduleAssetReference.asset_id)
        .join(DagRun, run, isouter=True)
        .where(AssetModel.group == LAUNCH_GROUP)
        # of several runs the last
        .order_by(DagModel.dag_id, DagRun.id)
    )


def _read(flows: Any) -> Theirs:
    # as the scheduler counts them
    pairs = (
        select(func.count(AssetPartitionDagRun.id))
        .join(DagModel, DagModel.dag_id == AssetPartitionDagRun.target_dag_id)
        .where(AssetPartitionDagRun.created_dag_run_id.is_(None), DagModel.is_stale.is_(False))
        .scalar_subquery()
        .label("pending_pairs")
    )
    healthy = dt.timedelta(seconds=conf.getfloat("triggerer", "triggerer_health_check_threshold"))
    triggerers = (
        select(func.count(Job.id))
        .where(
            Job.job_type == "TriggererJob",
            Job.state == JobState.RUNNING,
            Job.latest_heartbeat > dt.datetime.now(dt.timezone.utc) - healthy,
        )
        .scalar_subquery()
        .label("triggerers")
    )
    inner = flows.subquery()
    one = select(pairs, triggerers).subquery()
    # the counts also where there is no flow
    with create_session() as session:
        rows = session.execute(select(one, inner).select_from(one).join(inner, true(), isouter=True)).all()
    return Theirs(_by_name(rows), rows[0].triggerers, rows[0].pending_pairs)


def _by_name(rows: Sequence[Any]) -> dict[str, Flow]:
    return {
        row.dag_id: Flow(
            row.dag_id,
            _parsed(row.extra),
            bool(row.is_paused),
            bool(row.broken),
            row.run_id,
            str(row.state) if row.state else None,
            row.queued_at,
            bool(row.on_its_way),
        )
        for row in rows
        if row.dag_id is not None
    }


def _parsed(extra: Any) -> Parsed | None:
    return _parse(json.dumps(extra))


# everybody who looks has the same again, every few seconds
@lru_cache(maxsize=8192)
def _parse(extra: str) -> Parsed | None:
    try:
        condition = condition_of_asset(json.loads(extra))
    except BadInput:
        return None
    return Parsed(condition, condition.text, condition.sources)
