"""The collector's task: publishes what is due as asset events, in one transaction.

It is the only publisher. An entry leaves the outbox when the registrar has seen its event in
Airflow, never before; so a worker that dies anywhere in here neither loses nor doubles a launch.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, BaseOperator

from airflow_readiness import config, farewell, metrics
from airflow_readiness.core.document import Launch, readiness_to_json
from airflow_readiness.errors import ReadinessError
from airflow_readiness.launch_context import EXTRA
from airflow_readiness.schedule import launch_asset, source

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Self

    from airflow_readiness.core.state import Readiness

# Every worker that publishes reads the DAG file anew: what a server needs is imported when it is needed.


class CollectOperator(BaseOperator):
    """Waits in the triggerer until something is due; publishes it on a worker.

    Launches come in bursts, and from the end of a task until the next one listens in the triggerer some
    seconds pass. So each first looks for a moment from the worker.

    :param sources: sources that are published although no flow waits for them
    """

    def __init__(self, *, sources: Iterable[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sources = list(sources)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> None:
        """As Airflow does; if the trigger timed out or crashed, find out here what is due."""
        if next_method != "publish":
            self.log.warning("the triggerer did not answer (%s); looking from the worker", next_kwargs)
            self.publish(context, step=True)
            return
        super().resume_execution(next_method, next_kwargs, context)

    def prepare_for_execution(self) -> Self:
        """As Airflow does, without outlets: those are for the asset graph.

        Airflow would not run the task at all if a single one of them were inactive, as when another
        DAG has given its name to something else. What is due becomes the outlets in ``publish``.
        """
        task = super().prepare_for_execution()
        task.outlets = []
        return task

    def execute(self, context: Context) -> None:
        """Publish what becomes due within a moment; else wait in the triggerer."""
        from airflow_readiness.outbox import MOMENT
        from airflow_readiness_triggers.collector import CollectorTrigger

        settings = config.load()
        try:
            self.publish(context, moment=MOMENT)
        except ReadinessError as error:
            # a task that fails at once would be started again at once, without end: the trigger backs off
            self.log.error("%s", error)
        if not self.outlets:
            farewell.hold_output_open()
            self.defer(
                trigger=CollectorTrigger(self.sources, rotate=settings.fallback * 0.9),
                method_name="publish",
                timeout=timedelta(seconds=settings.fallback),
            )

    def publish(
        self,
        context: Context,
        event: Mapping[str, Any] | None = None,
        *,
        step: bool = False,
        moment: float = 0,
    ) -> None:
        """Make what is due the task's outlets.

        :param event: what woke the trigger; what is due is found out here
        :param step: take the processor's step first
        :param moment: seconds to wait for a launch before the sources have their turn
        """
        from airflow_readiness.outbox import due

        settings = config.load()
        endpoints = config.endpoints(settings)
        found = asyncio.run(due(settings, endpoints, self.sources, _recorded, step=step, moment=moment))
        events = _launch_events(found.launches) | _source_events(found.lineage)
        # exactly these are registered with the task's success, in one transaction
        self.outlets = list(events)
        metrics.batch(sum(len(days) for days, _ in events.values()))
        for asset, (days, extra) in events.items():
            accessor = context["outlet_events"][asset]
            accessor.add_partitions(days)
            accessor.extra.update(extra)
            self.log.info("publishing %s for %s", asset.name, ", ".join(days))


def _recorded(launch: Launch, since: dt.datetime) -> dt.datetime | None:
    """When Airflow recorded the event of a launch, by its own asset events since an instant."""
    from airflow.sdk.execution_time.context import InletEventsAccessor

    asset, key = launch_asset(launch.condition), launch.business_date.isoformat()
    events = InletEventsAccessor(asset_name=asset.name, asset_uri=asset.uri).after(since.isoformat())
    return next((event.timestamp for event in events if event.partition_key == key), None)


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
