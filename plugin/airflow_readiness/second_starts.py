"""What the registrar starts flow by flow, with no event for everybody: reruns, and runs that have failed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, Protocol

from airflow_readiness.launch_context import EXTRA
from airflow_readiness.store.store import Store

log = logging.getLogger(__name__)

#: Flows at one look, at the most.
AT_ONCE: Final = 20


class Starts(Protocol):
    """What is needed of Airflow; the module ``airflow_metadata`` has it. All of it blocks."""

    def start_run(self, dag_id: str, partition_key: str, conf: dict[str, Any], rerun: int = 0) -> bool:
        """Start one flow for one date. Whether that is new."""

    def fail_run(self, dag_id: str, partition_key: str, conf: dict[str, Any]) -> bool:
        """Make one flow a run for one date that has failed. Whether that is new."""

    def run_id(self, partition_key: str, rerun: int = 0) -> str:
        """The id of the run that these make."""


async def rerun(store: Store, airflow: Starts, complain: Callable[[str], None]) -> None:
    """Start again, each by itself, the flows that went without a source that has come late."""
    for row in await store.fetch("reruns", AT_ONCE):
        dag_id, day, number = row["dag_id"], row["business_date"], row["number"]
        await store.run("rerun_attempt", dag_id, day, number)
        try:
            # by its name Airflow refuses a second one
            await asyncio.to_thread(
                airflow.start_run, dag_id, day.isoformat(), {EXTRA: row["evidence"]}, number
            )
        except Exception as error:
            complain(f"flow {dag_id} cannot be started again for {day} although a source came late ({error})")
        else:
            await store.run("rerun_started", dag_id, day, number, airflow.run_id(day.isoformat(), number))
            log.info("started flow %s again for %s: a source came late", dag_id, day)


async def fail(store: Store, airflow: Starts, complain: Callable[[str], None]) -> None:
    """Give flows a failed run, each by itself, that would go without a source that says ``fail``."""
    for row in await store.fetch("failures", AT_ONCE):
        dag_id, day = row["dag_id"], row["business_date"]
        await store.run("runs_seen", [dag_id], [day], [row["condition"]], [None])
        await store.run_pairs("repaired", [(dag_id, day)])
        try:
            await asyncio.to_thread(airflow.fail_run, dag_id, day.isoformat(), {EXTRA: row["evidence"]})
        except Exception as error:
            complain(f"flow {dag_id} has failed for {day}, and Airflow does not take the run ({error})")
        else:
            run_id = airflow.run_id(day.isoformat())
            await store.run("runs_seen", [dag_id], [day], [row["condition"]], [run_id])
            log.warning("flow %s has failed for %s: a source that it cannot go without was missed", dag_id, day)
