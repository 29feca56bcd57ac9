"""``airflow readiness rerun``: one more run of one flow for a date, because somebody asks for it."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_readiness.core.clock import iso
from airflow_readiness.core.condition import Condition
from airflow_readiness.core.document import Launch
from airflow_readiness.errors import Refused
from airflow_readiness.launch_context import EXTRA
from airflow_readiness.operating.known import asked_for, read_clock
from airflow_readiness.operating.refusal import ask_airflow
from airflow_readiness.operating.why import flow_of
from airflow_readiness.repair import able
from airflow_readiness.store.store import Store, readiness_of

if TYPE_CHECKING:
    from airflow_readiness.operating.refusal import Look

#: The key of who asked, and why, in the conf of the run.
ASKED = "readiness_rerun"


class StartAgain(Protocol):
    """Starts a run; ``airflow_metadata.start_again`` is one. It blocks."""

    def __call__(
        self, dag_id: str, partition_key: str, conf: dict[str, Any], *, run_id: str, by: str, note: str
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Rerun:
    """A run that was started."""

    flow: str
    business_date: dt.date
    run_id: str
    #: the run that it had
    before: str

    @property
    def exit_code(self) -> int:
        """0: it was started."""
        return 0

    def to_json(self) -> dict[str, Any]:
        """The run, and the one before."""
        return {
            "flow": self.flow,
            "business_date": self.business_date.isoformat(),
            "run_id": self.run_id,
            "before": self.before,
        }

    def parts(self) -> Iterator[str]:
        """A sentence."""
        yield f"{self.flow} runs again for {self.business_date}: run {self.run_id} (it had {self.before})."


async def rerun(
    store: Store,
    look: Look,
    start_again: StartAgain,
    flow: str,
    day: dt.date,
    reason: str | None,
    by: str,
) -> Rerun:
    """Start one flow for one date again. It tells its tasks how the sources stand now.

    :param look: reads Airflow; blocking
    :raises BadInput: if there is no such flow
    :raises Refused: if it has no run for that date, or cannot run
    """
    key = day.isoformat()
    now = (await read_clock(store)).now
    await flow_of(store, flow, day)
    seen = await ask_airflow(look, now, [(flow, key)])
    condition = able(seen.flows, flow)
    if (flow, key) not in seen.runs:
        raise Refused(f"a run of {flow} for {key} is on its way: Airflow's scheduler makes it")
    before = seen.runs[flow, key]
    if before is None:
        raise Refused(
            f"{flow} has no run for {key} that could be repeated: 'airflow readiness why {flow} --date {key}' "
            "says what it waits for"
        )
    launch = await _now(store, condition, day)
    asked = {"by": by, "at": iso(now), "reason": reason}
    run_id = f"manual__readiness__{key}__{now.astimezone(dt.timezone.utc):%Y%m%dT%H%M%S.%f}"
    # who asked is kept before anything happens
    await store.run("audit", "rerun", by, reason, flow, day, {"run_id": run_id, "before": before})
    try:
        await asyncio.to_thread(
            start_again,
            flow,
            key,
            {EXTRA: launch.to_json(), ASKED: asked},
            run_id=run_id,
            by=by,
            note=f"Started again by {by}: {reason or 'no reason given'}",
        )
    except Exception as error:
        failed = {"run_id": run_id, "error": f"{type(error).__name__}: {error}"}
        await store.run("audit", "rerun failed", by, reason, flow, day, failed)
        raise Refused(f"Airflow cannot start {flow} for {key} ({failed['error']})") from error
    return Rerun(flow, day, run_id, before)


async def _now(store: Store, condition: Condition, day: dt.date) -> Launch:
    clock = await read_clock(store)
    rows = await store.fetch_pairs("states", [(name, day) for name in condition.sources])
    known = {row["source"]: readiness_of(row) for row in rows}
    return asked_for(condition, known, day, clock)
