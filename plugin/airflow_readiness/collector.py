"""The collector's task: publishes what is due as asset events, in one transaction.

It is the only publisher. An entry leaves the outbox when the registrar has seen its event in
Airflow, never before; so a worker that dies anywhere in here neither loses nor doubles a launch.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, BaseOperator
from airflow.triggers.base import StartTriggerArgs

from airflow_readiness import config, metrics
from airflow_readiness.core.document import Launch, readiness_to_json
from airflow_readiness.launch_context import EXTRA
from airflow_readiness.schedule import launch_asset, source

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Self

    from airflow_readiness.core.state import Readiness

# Every worker that publishes reads the DAG file anew: what a server needs is imported when it is needed.
_TRIGGER = "airflow_readiness_triggers.collector.CollectorTrigger"


class CollectOperator(BaseOperator):
    """Waits in the triggerer until something is due; publishes it on a worker."""

    start_from_trigger = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        settings = config.load()
        self.sources = [asset.name for asset in self.outlets if isinstance(asset, Asset)]
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=_TRIGGER,
            trigger_kwargs={"sources": self.sources, "rotate": settings.fallback * 0.9},
            next_method="publish",
            timeout=timedelta(seconds=settings.fallback),
        )

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """As Airflow does; if the trigger timed out or crashed, find out here what is due."""
        if next_method != "publish":
            self.log.warning("the triggerer did not answer (%s); looking from the worker", next_kwargs)
            return self._publish(context, step=True)
        return self.publish(context, **(next_kwargs or {}))

    def prepare_for_execution(self) -> Self:
        """As Airflow does, without outlets: those are for the asset graph.

        Airflow would not run the task at all if a single one of them were inactive, as when another
        DAG has given its name to something else. What is due becomes the outlets in ``publish``.
        """
        task = super().prepare_for_execution()
        task.outlets = []
        return task

    def execute(self, context: Context) -> None:
        """Without a triggerer at all: what is due, found out here."""
        self._publish(context, step=True)

    def publish(self, context: Context, event: Mapping[str, Any] | None = None) -> None:
        """What the trigger found due, or what is due by now."""
        self._publish(context, step=False)

    def _publish(self, context: Context, *, step: bool) -> None:
        from airflow_readiness.outbox import due_in_postgres
        from airflow_readiness.store.store import POSTGRES_DOWN

        settings = config.load()
        endpoints = config.endpoints(settings)
        try:
            due = asyncio.run(due_in_postgres(settings, endpoints, self.sources, _recorded, step=step))
            events = _launch_events(due.launches) | _source_events(due.lineage)
        except POSTGRES_DOWN as error:
            self.log.warning("Postgres cannot be read (%s); publishing what Redis says is due", error)
            events = _launch_events(self._due_by_redis(endpoints, settings.batch_size))
        # exactly these are registered with the task's success, in one transaction
        self.outlets = list(events)
        metrics.batch(sum(len(days) for days, _ in events.values()))
        for asset, (days, extra) in events.items():
            accessor = context["outlet_events"][asset]
            accessor.add_partitions(days)
            accessor.extra.update(extra)
            self.log.info("publishing %s for %s", asset.name, ", ".join(days))

    def _due_by_redis(self, endpoints: config.Endpoints, limit: int) -> list[Launch]:
        from airflow_readiness.outbox import BEFORE, due_in_redis, seen_in_airflow

        due, broken = asyncio.run(due_in_redis(endpoints))
        for sentence in broken:
            self.log.error("%s", sentence)
        unseen: list[Launch] = []
        seen: list[Launch] = []
        for launch in due[:limit]:
            try:
                begin = dt.datetime.combine(launch.business_date, dt.time(), dt.timezone.utc)
                published_at = _recorded(launch, begin - BEFORE)
            except Exception as error:
                # Airflow cannot show an event whose run has not started yet; rather later than twice
                self.log.warning("%s: Airflow does not say whether it was published (%s)", launch, error)
            else:
                known = dataclasses.replace(launch, published_at=published_at)
                (seen if published_at else unseen).append(known)
        if seen:
            asyncio.run(seen_in_airflow(endpoints, seen))
        now = dt.datetime.now(dt.timezone.utc)
        return [_decided(launch, now) for launch in unseen]


def _recorded(launch: Launch, since: dt.datetime) -> dt.datetime | None:
    """When Airflow recorded the event of a launch, by its own asset events since an instant."""
    from airflow.sdk.execution_time.context import InletEventsAccessor

    asset, key = launch_asset(launch.condition), launch.business_date.isoformat()
    events = InletEventsAccessor(asset_name=asset.name, asset_uri=asset.uri).after(since.isoformat())
    return next((event.timestamp for event in events if event.partition_key == key), None)


def _decided(launch: Launch, now: dt.datetime) -> Launch:
    sources = {name: known.at(now) for name, known in launch.sources.items()}
    return dataclasses.replace(launch, decided_at=launch.decided_at or now, sources=sources)


Events = dict[Asset, tuple[list[str], dict[str, Any]]]


def _launch_events(launches: Sequence[Launch]) -> Events:
    by_condition: dict[str, list[Launch]] = defaultdict(list)
    for each in launches:
        by_condition[each.condition.text].append(each)
    return {
        launch_asset(group[0].condition): (
            [each.business_date.isoformat() for each in group],
            # an asset's events of one batch share their extra: it is by date
            {EXTRA: {each.business_date.isoformat(): each.to_json() for each in group}},
        )
        for group in by_condition.values()
    }


def _source_events(settled: Sequence[Readiness]) -> Events:
    by_source: dict[str, dict[str, Any]] = defaultdict(dict)
    for known in settled:
        by_source[known.source][known.business_date.isoformat()] = readiness_to_json(known)
    return {source(name): (list(dates), {EXTRA: dates}) for name, dates in by_source.items()}
