"""Why did I start? The answer, inside a flow's run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_readiness.core.dates import parse_date
from airflow_readiness.core.document import Launch, load_launch
from airflow_readiness.core.names import LAUNCH_GROUP
from airflow_readiness.errors import BadInput, NotLaunched
from airflow_readiness.schedule import condition_of_asset

#: The key of a launch in the extra of its asset event (by date), and in the conf of a repaired run.
EXTRA = "readiness"


def launch(context: Mapping[str, Any]) -> Launch:
    """Why this run was started: the condition, and for each source its outcome, time and log count.

    :param context: the task's context (``get_current_context()``, or ``**context`` of a task)
    :raises NotLaunched: if readiness did not start this run (somebody triggered it by hand)
    """
    run = context["dag_run"]
    key = getattr(run, "partition_key", None)
    conf = getattr(run, "conf", None) or {}
    if EXTRA in conf:
        return load_launch(conf[EXTRA])
    for events in (context.get("triggering_asset_events") or {}).values():
        for event in reversed(events):
            if event.partition_key == key and key and (found := _of_event(event, key)):
                return found
    raise NotLaunched(
        f"run {run.run_id!r} was not started by readiness (partition key {key!r}): somebody triggered it. "
        "Ask only in runs that ready() scheduled, or handle NotLaunched"
    )


def _of_event(event: Any, key: str) -> Launch | None:
    extra: Mapping[str, Any] = event.extra or {}
    by_date = extra.get(EXTRA)
    if isinstance(by_date, Mapping) and key in by_date:
        return load_launch(by_date[key])
    asset_extra = getattr(event.asset, "extra", None)
    if getattr(event.asset, "group", LAUNCH_GROUP) != LAUNCH_GROUP or not asset_extra:
        return None
    try:
        # published by hand: the condition is known, and nothing of its sources
        condition = condition_of_asset(asset_extra)
        return Launch(condition, parse_date(key), {}, decided_at=event.timestamp)
    except BadInput:
        return None
