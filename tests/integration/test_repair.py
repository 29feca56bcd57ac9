"""``airflow readiness repair``: one flow, one date, never early and never twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

import pytest

from airflow_readiness.airflow_metadata import FlowSeen, Seen
from airflow_readiness.core.condition import Condition, combine, of_source
from airflow_readiness.core.document import Launch, load_launch
from airflow_readiness.errors import Refused
from airflow_readiness.repair import repair
from airflow_readiness.store.store import Store

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

AddFlow: TypeAlias = Callable[..., Awaitable[None]]
SALES, STORES = of_source("hive.sales"), of_source("hive.stores")
BOTH = combine("all", [SALES, STORES])
DAY = dt.date(2026, 11, 20)


class Airflow:
    """What Airflow has, and what is started there. The flow ``sales`` has no run."""

    def __init__(self) -> None:
        self.flows = [self.flow("sales", BOTH), self.flow("stores", STORES)]
        self.runs: dict[tuple[str, str], str | None] = {("sales", DAY.isoformat()): None}
        self.started: list[tuple[str, str, Launch]] = []
        self.answer: bool | Exception = True

    @staticmethod
    def flow(dag_id: str, condition: Condition, *, paused: bool = False, broken: bool = False) -> FlowSeen:
        return FlowSeen(dag_id, paused, broken, {"condition": condition.to_json()})

    def look(self, _since: dt.datetime, wanted: Iterable[tuple[str, str]]) -> Seen:
        return Seen(self.flows, [], {pair: self.runs[pair] for pair in wanted if pair in self.runs})

    def start_run(self, dag_id: str, key: str, conf: dict[str, Any]) -> bool:
        if isinstance(self.answer, Exception):
            raise self.answer
        self.started.append((dag_id, key, load_launch(conf["readiness"])))
        return self.answer


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


@pytest.fixture
def start(store: Store, airflow: Airflow) -> Callable[..., Awaitable[None]]:
    async def run(flow: str = "sales", day: dt.date = DAY) -> None:
        await repair(store, airflow.look, airflow.start_run, "run_1", flow, day)

    return run


@pytest.fixture
async def launched(store: Store, add_flow: AddFlow) -> Launch:
    """The launch of ``sales``, published; the flow was paused then, as the registrar has found out."""
    await add_flow("sales", BOTH, DAY)
    made = Launch(BOTH, DAY, {}, decided_at=dt.datetime.now(dt.timezone.utc))
    await store.connection.execute(
        "insert into readiness.launch (condition, business_date, decided_at, published_at, evidence)"
        " values ($1, $2, $3, $3, $4)",
        BOTH.text,
        DAY,
        made.decided_at,
        made.to_json(),
    )
    await store.run("runs_seen", ["sales"], [DAY], [BOTH.text], [None])
    return made


Start: TypeAlias = Callable[..., Awaitable[None]]


async def test_it_starts_the_one_flow_with_the_evidence_and_records_it(
    store: Store, airflow: Airflow, start: Start, launched: Launch
) -> None:
    await start()
    assert airflow.started == [("sales", DAY.isoformat(), launched)]
    (row,) = await store.connection.fetch("select * from readiness.launch_run")
    assert (row["dag_id"], row["run_id"]) == ("sales", "run_1")
    assert row["repaired_at"] is not None
    assert await store.fetch("repairs", 10) == [], "the registrar has nothing to repair any more"


async def test_a_date_before_the_flow_was_known_can_be_repaired(
    store: Store, airflow: Airflow, start: Start, launched: Launch
) -> None:
    await store.connection.execute("delete from readiness.launch_run")
    await store.connection.execute("update readiness.flow set first_date = $1", DAY + dt.timedelta(days=5))
    await start()
    assert airflow.started == [("sales", DAY.isoformat(), launched)]
    assert await store.connection.fetchval("select run_id from readiness.launch_run") == "run_1"


async def refused(start: Start, airflow: Airflow, match: str, **what: Any) -> None:
    with pytest.raises(Refused, match=match):
        await start(**what)
    assert airflow.started == []


async def test_a_launch_that_was_not_made_is_refused_and_it_says_what_is_missing(
    store: Store, airflow: Airflow, start: Start, add_flow: AddFlow
) -> None:
    await add_flow("sales", BOTH, DAY)
    await refused(
        start, airflow, r"it waits for hive\.sales \(not judged for this date yet.*; hive\.stores \(not"
    )
    deadline = dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)
    for table in ("sales", "stores"):
        await store.run("expect", "hive", table, DAY, deadline)
    await store.connection.execute("select readiness.report_log('hive', 'stores', $1)", DAY)
    await store.fetch("advance", None)
    await refused(
        start,
        airflow,
        rf"waits for hive\.sales \(0 of 1 logs, deadline {deadline:%Y-%m-%d %H:%M} UTC, not configured\)$",
    )
    await store.fetch("advance", deadline)
    await refused(start, airflow, "ready or past their deadline, but no flow was judged")


@pytest.mark.usefixtures("launched")
async def test_another_date_of_a_launched_flow_is_refused(airflow: Airflow, start: Start) -> None:
    await refused(start, airflow, "not launched for 2026-11-21", day=DAY + dt.timedelta(days=1))


@pytest.mark.usefixtures("launched")
async def test_a_launch_that_is_about_to_be_published_is_refused(
    store: Store, airflow: Airflow, start: Start
) -> None:
    await store.connection.execute("update readiness.launch set published_at = null")
    await refused(start, airflow, "about to be published for all of its flows")


@pytest.mark.usefixtures("launched")
async def test_a_run_that_is_there_or_on_its_way_is_not_made_again(airflow: Airflow, start: Start) -> None:
    airflow.runs = {("sales", DAY.isoformat()): "manual__1"}
    await refused(start, airflow, "has a run for 2026-11-20 already: manual__1")
    airflow.runs = {}
    await refused(start, airflow, "is on its way")


@pytest.mark.usefixtures("launched")
async def test_a_launch_published_while_we_look_is_not_started_twice(
    store: Store, airflow: Airflow, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[list[tuple[str, str]]] = []

    def look(since: dt.datetime, wanted: Iterable[tuple[str, str]]) -> Seen:
        looks.append(list(wanted))
        if len(looks) > 1:
            # the event came with its run
            airflow.runs = {("sales", DAY.isoformat()): "asset_triggered__1"}
        return Seen(airflow.flows, [], {pair: airflow.runs[pair] for pair in looks[-1]})

    monkeypatch.setattr(airflow, "look", look)
    with pytest.raises(Refused, match="asset_triggered__1"):
        await repair(store, look, airflow.start_run, "run_1", "sales", DAY)
    assert airflow.started == []


@pytest.mark.usefixtures("launched")
async def test_a_flow_that_cannot_run_is_refused(airflow: Airflow, start: Start) -> None:
    airflow.flows = [airflow.flow("sales", BOTH, paused=True)]
    await refused(start, airflow, "sales is paused: unpause it")
    airflow.flows = [airflow.flow("sales", BOTH, broken=True)]
    await refused(start, airflow, "sales is broken: its file does not import")


@pytest.mark.usefixtures("launched")
async def test_an_unknown_flow_is_refused_with_names_that_are_near(airflow: Airflow, start: Start) -> None:
    await refused(start, airflow, "no flow 'saels': did you mean sales", flow="saels")
    await refused(start, airflow, r"no flow 'qqq': a flow is a DAG with schedule=ready", flow="qqq")


@pytest.mark.usefixtures("launched")
async def test_what_airflow_refuses_is_said_and_nothing_is_recorded(
    store: Store, airflow: Airflow, start: Start
) -> None:
    airflow.answer = ValueError("no such run type")
    await refused(start, airflow, "Airflow cannot start sales for 2026-11-20 .*no such run type")
    airflow.answer = False
    with pytest.raises(Refused, match="started for 2026-11-20 at this moment"):
        await start()
    assert await store.connection.fetchval("select run_id from readiness.launch_run") is None
