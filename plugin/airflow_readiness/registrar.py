"""The registrar: tells our Postgres which flows Airflow has, and what came of each launch.

It lives in the API server, as a task of the plugin's app; of several replicas one works, by an
advisory lock. It never raises: an exception in a plugin's lifespan ends the API server.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from airflow_readiness import config, health, metrics, second_starts
from airflow_readiness.core.dates import parse_date
from airflow_readiness.core.document import Launch
from airflow_readiness.core.names import LAUNCH_GROUP, POOL, REGISTRAR_CHANNEL
from airflow_readiness.errors import BadInput
from airflow_readiness.launch_context import EXTRA
from airflow_readiness.schedule import condition_of_asset
from airflow_readiness.stand_in import StandIn
from airflow_readiness.store.store import Row, Store, open_store
from airflow_readiness_triggers.tasks import Backoff, stop, wait_for_event

if TYPE_CHECKING:
    from airflow_readiness.airflow_metadata import EventSeen, FlowSeen, Seen

log = logging.getLogger(__name__)

#: How far back it looks at its start, and every FULL seconds; else only as far as OVERLAP.
HISTORY: Final = dt.timedelta(days=31)
OVERLAP: Final = dt.timedelta(seconds=120)
FULL: Final = dt.timedelta(seconds=300)
#: How far back it looks for launches without runs between two of those: more than twice that.
LATELY: Final = dt.timedelta(seconds=900)
#: Flows that are started at one look, at the most.
REPAIRS: Final = 20
#: Seconds between two attempts to become the one that works.
STANDBY: Final = 5.0


class Airflow(Protocol):
    """What the registrar needs of Airflow; the module ``airflow_metadata`` is one. All of it blocks."""

    def look(self, since: dt.datetime, wanted: Iterable[tuple[str, str]]) -> Seen:
        """Flows, events since an instant, and the runs of these pairs."""

    def start_run(self, dag_id: str, partition_key: str, conf: dict[str, Any], rerun: int = 0) -> bool:
        """Start one flow for one date. Whether that is new."""

    def fail_run(self, dag_id: str, partition_key: str, conf: dict[str, Any]) -> bool:
        """Make one flow a run for one date that has failed. Whether that is new."""

    def run_id(self, partition_key: str, rerun: int = 0) -> str:
        """The id of the run that these two make."""

    def keep_pool(self, name: str) -> bool:
        """See to it that this pool has one slot, which deferred tasks hold too. Whether it had not."""

    def hasten(self, dag_id: str) -> int:
        """Let the deferred tasks of a DAG time out now. How many there were."""


class Registrar:
    """The loop, apart from the API server, so that it can be run anywhere."""

    def __init__(self, airflow: Airflow) -> None:
        self._airflow = airflow
        self._full_at: dt.datetime | None = None
        self._flows: tuple[list[FlowSeen], list[str]] = ([], [])
        #: a flow that is new may have missed the launch of today, whenever that was
        self._flows_changed = False
        self._complained: set[str] = set()
        self._outage = ""

    async def serve(self) -> None:
        """Go on until cancelled; never raises."""
        backoff = Backoff()
        while True:
            try:
                settings = await asyncio.to_thread(config.load)
                endpoints = await asyncio.to_thread(config.endpoints, settings)
                stand_in = StandIn(settings, endpoints, self._airflow.hasten)
                async with open_store(endpoints.postgres) as store:
                    await self._session(store, stand_in, settings.registrar_interval, backoff)
            except Exception as error:
                outage = f"the registrar cannot work ({type(error).__name__}: {error}); trying on"
                if outage != self._outage:
                    log.error("%s", outage)
                self._outage = outage
            await backoff.pause()

    def _complain(self, sentence: str) -> None:
        if sentence not in self._complained:
            self._complained.add(sentence)
            log.error("%s", sentence)

    async def _session(self, store: Store, stand_in: StandIn, interval: float, backoff: Backoff) -> None:
        while not (await store.fetch("try_registrar_lock"))[0]["mine"]:
            await asyncio.sleep(STANDBY)
        self._full_at = None
        rung = asyncio.Event()
        await store.ring_on(lambda _payload: rung.set(), REGISTRAR_CHANNEL)
        while True:
            rung.clear()
            seen = await self.register(store)
            await stand_in.look(store, seen.triggerers)
            self._outage = ""
            backoff.reset()
            await wait_for_event(rung, interval)

    async def register(self, store: Store) -> Seen:
        """One look at Airflow, written to our Postgres."""
        # the clock of our Postgres, before the look: what was attempted earlier was looked for
        (clock,) = await store.fetch("clock")
        now = dt.datetime.now(dt.timezone.utc)
        full = self._full_at is None or now - self._full_at >= FULL
        if await asyncio.to_thread(self._airflow.keep_pool, POOL):
            log.info("made the pool %s: one slot, for the collector's tasks", POOL)
        wanted = await self._runs_wanted(store, full, now)
        seen = await asyncio.to_thread(
            self._airflow.look,
            now - (HISTORY if full else OVERLAP),
            [(row["dag_id"], row["business_date"].isoformat()) for row in wanted],
        )
        async with store.connection.transaction():
            flows = (seen.flows, seen.unreadable)
            if full or flows != self._flows:
                # writing them rings the processor, even if no row changes
                await self._write_flows(store, *flows)
                self._flows_changed = True
            await self._write_events(store, seen.events)
            await self._write_runs(store, wanted, seen.runs)
            detail = {"flows": len(seen.flows), "triggerers": seen.triggerers, "paused": list(seen.paused)}
            await store.run("beat", "registrar", clock["now"], detail)
        self._flows = flows
        if full:
            self._full_at = now
        await self._repair(store)
        await second_starts.rerun(store, self._airflow, self._complain)
        await second_starts.fail(store, self._airflow, self._complain)
        return seen

    async def _runs_wanted(self, store: Store, full: bool, now: dt.datetime) -> list[Row]:
        if full or self._flows_changed:
            wanted = await store.fetch("runs_wanted")
        else:
            wanted = await store.fetch("runs_wanted_lately", now - LATELY)
        self._flows_changed = False
        return wanted

    async def _repair(self, store: Store) -> None:
        """Start, each by itself, the flows that missed their launch: no event for everybody."""
        for row in await store.fetch("repairs", REPAIRS):
            dag_id, day = row["dag_id"], row["business_date"]
            await store.run_pairs("repaired", [(dag_id, day)])
            conf = {EXTRA: row["evidence"]}
            try:
                await asyncio.to_thread(self._airflow.start_run, dag_id, day.isoformat(), conf)
            except Exception as error:
                self._complain(f"flow {dag_id} missed its launch for {day} and cannot be started ({error})")
            else:
                log.info("started flow %s for %s by itself: it had missed its launch", dag_id, day)

    async def _write_flows(self, store: Store, flows: list[FlowSeen], unreadable: list[str]) -> None:
        rows: dict[str, dict[str, object]] = {}
        for flow in flows:
            if flow.dag_id in rows:
                self._complain(f"flow {flow.dag_id} is scheduled on several conditions: give it one ready()")
                continue
            try:
                condition = condition_of_asset(flow.asset_extra)
            except BadInput as error:
                self._complain(f"flow {flow.dag_id}: {error}")
                continue
            rows[flow.dag_id] = {
                "dag_id": flow.dag_id,
                "condition": condition.text,
                "expression": condition.to_json(),
                "sources": list(condition.sources),
                "paused": flow.paused,
                "broken": flow.broken,
            }
        await store.run("upsert_flows", list(rows.values()))
        # one whose file is broken is not gone: it was seen as broken before Airflow forgot its schedule
        await store.run("flows_gone", [*(flow.dag_id for flow in flows), *unreadable])

    async def _write_events(self, store: Store, events: list[EventSeen]) -> None:
        launches, sources = [], []
        for event in events:
            try:
                day = parse_date(event.partition_key)
                if event.group == LAUNCH_GROUP:
                    condition = condition_of_asset(event.asset_extra)
                    by_hand = Launch(condition, day, {}, decided_at=event.at)
                    launches.append((condition.text, day, event.at, by_hand.to_json()))
                else:
                    sources.append((event.name, day, event.at))
            except BadInput as error:
                self._complain(f"an event of {event.name} is not one of a business date: {error}")
        metrics.recorded(await store.fetch("published", *_columns(launches, 4)))
        await store.run("lineage_published", *_columns(sources, 3))

    async def _write_runs(
        self, store: Store, wanted: list[Row], runs: dict[tuple[str, str], str | None]
    ) -> None:
        rows = [
            (row["dag_id"], row["business_date"], row["condition"], runs[pair])
            for row in wanted
            if (pair := (row["dag_id"], row["business_date"].isoformat())) in runs
        ]
        await store.run("runs_seen", *_columns(rows, 4))


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[index] for row in rows] for index in range(width)]


@asynccontextmanager
async def registrar() -> AsyncIterator[None]:
    """A registrar at work until the end."""
    from airflow_readiness import airflow_metadata

    tasks = [
        asyncio.create_task(Registrar(airflow_metadata).serve(), name="readiness-registrar"),
        asyncio.create_task(health.watch(), name="readiness-health"),
    ]
    try:
        yield
    finally:
        await stop(*tasks)
