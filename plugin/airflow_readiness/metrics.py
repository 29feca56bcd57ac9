"""Metrics, through Airflow's own ``Stats``: wherever Airflow sends its own, if it does.

They work in a worker, in the triggerer and in the API server. None of them raises or blocks: on an
event loop they are handed to a thread, as a client of statsd looks up its host when it is first used.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from airflow_readiness.core.document import load_launch
from airflow_readiness.errors import BadDocument

log = logging.getLogger(__name__)


def recorded(rows: Iterable[Mapping[str, Any]]) -> None:
    """``launch_latency`` and ``deadline_error`` of launches that Airflow has just recorded.

    :param rows: of the query ``published``
    """
    for row in rows:
        # published by hand: nobody has decided it
        if row["decided_at"] >= row["published_at"]:
            continue
        _send("timing", "launch_latency", row["published_at"] - row["decided_at"])
        try:
            launch = load_launch(row["evidence"])
        except BadDocument:
            continue
        if launch.by_deadline and launch.due_at:
            late = max(row["published_at"] - launch.due_at, dt.timedelta())
            _send("timing", "deadline_error", late)


def sources_today(waiting: int, missed: int) -> None:
    """``waiting`` and ``missed``: how many sources are so for today."""
    _send("gauge", "waiting", waiting)
    _send("gauge", "missed", missed)


def redis_reconnect() -> None:
    """``redis_reconnects``: the session with Redis was lost, or could not begin."""
    _send("incr", "redis_reconnects")


def batch(events: int) -> None:
    """``batch_size``: asset events that the collector publishes at once."""
    _send("gauge", "batch_size", events)


def degraded(problems: int) -> None:
    """``degraded``: the number of problems that ``airflow readiness doctor`` tells."""
    _send("gauge", "degraded", problems)


def _send(kind: str, name: str, *values: Any) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        _emit(kind, name, *values)
        return
    try:
        _thread().submit(_emit, kind, name, *values)
    except RuntimeError as error:
        log.debug("no metrics any more: %s", error)


def _emit(kind: str, name: str, *values: Any) -> None:
    try:
        getattr(_stats(), kind)(f"readiness.{name}", *values)
    except Exception as error:
        log.debug("metric %s was not sent (%s)", name, error)


@cache
def _thread() -> ThreadPoolExecutor:
    # one: they leave in order
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="readiness-metrics")


@cache
def _stats() -> Any:
    """The Task SDK's ``Stats``, which a worker has set up; the API server and the triggerer may not have."""
    from airflow.sdk.configuration import conf
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics import stats_utils

    if getattr(sys.modules[stats.initialize.__module__], "_factory", None) is None:
        stats.initialize(
            factory=stats_utils.get_stats_factory(),
            export_legacy_names=conf.getboolean("metrics", "legacy_names_on"),
        )
    return stats
