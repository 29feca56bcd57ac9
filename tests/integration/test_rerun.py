"""``airflow readiness rerun``: a run that somebody asks for, and who that was."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

import pytest

from airflow_readiness.airflow_metadata import FlowSeen, Seen
from airflow_readiness.core.condition import Condition, combine, of_source
from airflow_readiness.core.document import load_launch
from airflow_readiness.core.state import Outcome
from airflow_readiness.errors import BadInput, ReadinessError, Refused
from airflow_readiness.operating.rerun import rerun
from airflow_readiness.store.store import Store

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

Do: TypeAlias = Callable[..., Awaitable[None]]

SALES, STORES = of_source("hive.sales"), of_source("hive.stores")
BOTH = combine("all", [SALES, STORES])
DAY = dt.date(2026, 11, 20)
KEY = DAY.isoformat()


class Airflow:
    """What Airflow has, and what is started there. The flow ``both`` has a run."""

    def __init__(self) -> None:
        self.flows = [self.flow("both", BOTH)]
        self.runs: dict[tuple[str, str], str | None] = {("both", KEY): "run_1"}
        self.started: list[tuple[str, str, dict[str, Any], str, str]] = []
        self.broken: Exception | None = None

    @staticmethod
    def flow(dag_id: str, condition: Condition, *, paused: bool = False) -> FlowSeen:
        return FlowSeen(dag_id, paused, False, {"condition": condition.to_json()})

    def look(self, _since: dt.datetime, wanted: Iterable[tuple[str, str]]) -> Seen:
        return Seen(self.flows, [], {pair: self.runs[pair] for pair in wanted if pair in self.runs})

    def start_again(
        self, dag_id: str, partition_key: str, conf: dict[str, Any], *, run_id: str, by: str, note: str
    ) -> None:
        if self.broken:
            raise self.broken
        assert by in note
        self.started.append((dag_id, partition_key, conf, run_id, by))


@pytest.fixture
async def airflow(add_flow: Do) -> Airflow:
    """With the flow, which the registrar has seen; no date of it is judged by itself."""
    await add_flow("both", BOTH, dt.date(2999, 1, 1))
    return Airflow()


async def run(store: Store, airflow: Airflow, flow: str = "both", reason: str | None = "new data") -> str:
    done = await rerun(store, airflow.look, airflow.start_again, flow, DAY, reason, "eve")
    assert (done.flow, done.business_date, done.before) == (flow, DAY, "run_1")
    return done.run_id


async def audit(store: Store) -> list[tuple[str, str, str, dt.date]]:
    rows = await store.connection.fetch("select * from readiness.audit order by audit_id")
    return [(row["action"], row["done_by"], row["dag_id"], row["business_date"]) for row in rows]


async def test_it_starts_one_more_run_that_knows_how_the_sources_stand_now(
    store: Store, airflow: Airflow
) -> None:
    await store.run("expect", "hive", "sales", DAY, None)
    await store.connection.execute("select readiness.report_log('hive', 'sales', $1)", DAY)
    await store.fetch("advance", None)
    run_id = await run(store, airflow)
    ((dag_id, key, conf, started, by),) = airflow.started
    assert (dag_id, key, started, by) == ("both", KEY, run_id, "eve")
    assert run_id.startswith(f"manual__readiness__{KEY}__")
    launch = load_launch(conf["readiness"])
    assert launch.outcomes == {"hive.sales": Outcome.READY, "hive.stores": Outcome.PENDING}
    assert conf["readiness_rerun"]["by"] == "eve"
    assert conf["readiness_rerun"]["reason"] == "new data"
    assert await audit(store) == [("rerun", "eve", "both", DAY)]


async def test_each_time_it_is_another_run(store: Store, airflow: Airflow) -> None:
    assert await run(store, airflow) != await run(store, airflow, reason=None)
    assert len(airflow.started) == 2


async def test_nothing_of_the_launch_is_touched(store: Store, airflow: Airflow) -> None:
    await run(store, airflow)
    for table in ("launch", "launch_run", "processed_log"):
        assert await store.connection.fetchval(f"select count(*) from readiness.{table}") == 0


async def refused(store: Store, airflow: Airflow, match: str, flow: str = "both") -> None:
    with pytest.raises(Refused, match=match):
        await run(store, airflow, flow)
    assert airflow.started == []


async def test_without_a_run_there_is_nothing_to_run_again(store: Store, airflow: Airflow) -> None:
    airflow.runs["both", KEY] = None
    await refused(
        store, airflow, "has no run for 2026-11-20 that could be repeated.*airflow readiness why both"
    )
    del airflow.runs["both", KEY]
    await refused(store, airflow, "is on its way")
    assert await audit(store) == []


async def test_a_flow_that_cannot_run_is_not_started(store: Store, airflow: Airflow) -> None:
    airflow.flows = [airflow.flow("both", BOTH, paused=True)]
    await refused(store, airflow, "both is paused")
    airflow.flows = []
    await refused(store, airflow, "there is no flow 'both'")


async def test_a_flow_that_is_not_there_cannot_be_meant(store: Store, airflow: Airflow) -> None:
    with pytest.raises(BadInput, match="there is no flow 'bot': did you mean both"):
        await run(store, airflow, "bot")
    assert airflow.started == []


async def test_what_airflow_refuses_is_told_and_kept(store: Store, airflow: Airflow) -> None:
    airflow.broken = RuntimeError("no")
    await refused(store, airflow, r"Airflow cannot start both for 2026-11-20 \(RuntimeError: no\)")
    assert [action for action, *_ in await audit(store)] == ["rerun", "rerun failed"]


async def test_an_airflow_that_cannot_be_read_is_told(store: Store, airflow: Airflow) -> None:
    def look(_since: dt.datetime, _wanted: Iterable[tuple[str, str]]) -> Seen:
        raise OSError("no database")

    with pytest.raises(ReadinessError, match="Airflow's database cannot be read") as raised:
        await rerun(store, look, airflow.start_again, "both", DAY, None, "eve")
    assert not isinstance(raised.value, Refused)
