"""``airflow readiness backfill``: past dates by the logs that exist, one flow, nobody else, nothing twice."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from airflow_readiness.airflow_metadata import FlowSeen
from airflow_readiness.core.condition import combine, of_source
from airflow_readiness.core.state import Outcome
from airflow_readiness.engine import launch_of
from airflow_readiness.errors import BadInput, ReadinessError, Refused
from airflow_readiness.operating import backfill as module
from airflow_readiness.operating.backfill import Backfill, Progress, Wish, backfill
from airflow_readiness.registrar import Registrar
from airflow_readiness.store.store import Store, open_store
from airflow_readiness_triggers.tasks import stop
from tests.integration.airflow_seen import Airflow

Do: TypeAlias = Callable[..., Awaitable[None]]
Eventually: TypeAlias = Callable[..., Awaitable[Any]]
Fill: TypeAlias = Callable[..., Awaitable[Backfill]]

BOTH = combine("all", [of_source("hive.sales"), of_source("hive.stores")])


class Runs(Airflow):
    """Airflow, in which what is started has a run."""

    def start_run(self, dag_id: str, partition_key: str, conf: dict[str, Any], rerun: int = 0) -> bool:
        if self.runs.get((dag_id, partition_key)):
            return False
        super().start_run(dag_id, partition_key, conf, rerun)
        self.runs[dag_id, partition_key] = f"run of {partition_key}"
        return True

    def look(self, since: dt.datetime, wanted: Any) -> Any:
        pairs = list(wanted)
        for pair in pairs:
            # none is on its way
            self.runs.setdefault(pair, None)
        return super().look(since, pairs)


@pytest.fixture
def airflow() -> Runs:
    seen = Runs()
    seen.flows = [FlowSeen(name, False, False, {"condition": BOTH.to_json()}) for name in ("both", "beside")]
    return seen


@pytest.fixture
async def registrar(processor: object, dsn: dict[str, Any], airflow: Runs) -> AsyncIterator[None]:
    """A registrar that looks again and again, and a processor at work."""
    work = Registrar(airflow)
    async with open_store(dsn) as own:
        await work.register(own)

        async def go_on() -> None:
            while True:
                await work.register(own)
                await asyncio.sleep(0.05)

        task = asyncio.create_task(go_on())
        try:
            yield
        finally:
            await stop(task)


@pytest.fixture
def fill(store: Store, airflow: Runs, today: dt.date) -> Fill:
    """The command, for the dates from so many days ago to so many."""

    async def run(
        first: int = 5, last: int = 2, progress: Progress = lambda *_told: None, **wish: Any
    ) -> Backfill:
        begin, end = (today - dt.timedelta(days=number) for number in (first, last))
        return await backfill(
            store, airflow.look, Wish(wish.pop("flow", "both"), begin, end, "eve", **wish), progress
        )

    return run


@pytest.fixture
def logs(store: Store, today: dt.date) -> Do:
    """Logs of both sources for the date so many days ago."""

    async def write(*ago: int, sources: tuple[str, ...] = ("sales", "stores")) -> None:
        for days in ago:
            for table in sources:
                day = today - dt.timedelta(days=days)
                await store.connection.execute("select readiness.report_log('hive', $1, $2)", table, day)

    return write


@pytest.mark.usefixtures("registrar")
async def test_it_starts_the_dates_whose_sources_are_there_and_says_which_are_not(
    fill: Fill, logs: Do, airflow: Runs, today: dt.date
) -> None:
    await logs(5, 3)
    await logs(4, sources=("sales",))
    told: list[tuple[str, int, int]] = []
    done = await fill(progress=lambda *step: told.append(step))
    assert {("judging", 0, 4), ("judging", 4, 4), ("starting", 2, 2)} <= set(told)
    days = {number: today - dt.timedelta(days=number) for number in (5, 4, 3, 2)}
    assert done.launched == {days[number]: f"run of {days[number]}" for number in (5, 3)}
    assert done.missing == {
        days[4]: "hive.stores (0/1 logs)",
        days[2]: "hive.sales (0/1 logs), hive.stores (0/1 logs)",
    }
    assert done.exit_code == 1
    assert sorted(airflow.started) == [("both", f"{days[number]}") for number in (5, 3)], "and nobody else"


@pytest.mark.usefixtures("registrar")
async def test_a_second_one_starts_nothing(
    fill: Fill, logs: Do, airflow: Runs, today: dt.date, eventually: Eventually
) -> None:
    await logs(5, 4, 3, 2)
    assert (await fill()).exit_code == 0
    before = list(airflow.started)
    again = await fill()
    assert again.launched == {}
    assert set(again.left.values()) == {f"has a run: run of {day}" for day in again.wish.days}
    assert again.exit_code == 0
    assert airflow.started == before


@pytest.mark.usefixtures("registrar")
async def test_the_registrar_knows_the_runs_afterwards_and_starts_none_again(
    fill: Fill, logs: Do, airflow: Runs, store: Store
) -> None:
    await logs(5)
    done = await fill(5, 5)
    assert list(done.launched.values()) != [None]
    rows = await store.connection.fetch("select dag_id, run_id from readiness.launch_run")
    assert [(row["dag_id"], row["run_id"] is not None) for row in rows] == [("both", True)]
    assert await store.fetch("repairs", 10) == []
    (launch,) = await store.connection.fetch("select * from readiness.launch")
    assert launch_of(launch).outcomes == {"hive.sales": Outcome.READY, "hive.stores": Outcome.READY}
    assert launch["published_at"] is not None, "nobody publishes it for every flow"
    audit = await store.connection.fetchrow("select * from readiness.audit")
    assert (audit["action"], audit["done_by"], audit["dag_id"]) == ("backfill", "eve", "both")
    assert len(airflow.started) == 1


@pytest.mark.usefixtures("registrar")
async def test_the_other_flow_can_have_the_same_dates_later(fill: Fill, logs: Do, airflow: Runs) -> None:
    await logs(5)
    await fill(5, 5)
    done = await fill(5, 5, flow="beside")
    assert len(done.launched) == 1
    assert [dag_id for dag_id, _ in airflow.started] == ["both", "beside"]


@pytest.mark.usefixtures("registrar")
async def test_for_all_flows_it_is_left_to_the_collector(
    fill: Fill, logs: Do, airflow: Runs, store: Store
) -> None:
    await logs(5)
    done = await fill(5, 5, all_flows=True)
    assert len(done.launched) == 1
    assert len(await store.fetch("outbox", 10)) == 1
    assert await store.connection.fetch("select from readiness.launch_run") == []
    assert airflow.started == []
    again = await fill(5, 5)
    assert list(again.left.values()) == ["is about to be published"]


@pytest.mark.usefixtures("registrar")
async def test_dates_with_a_missing_source_are_started_if_that_is_asked_for(
    fill: Fill, logs: Do, airflow: Runs
) -> None:
    await logs(4, sources=("sales",))
    done = await fill(4, 3, missing_too=True)
    assert len(done.launched) == 2
    assert done.exit_code == 0


@pytest.mark.usefixtures("registrar")
async def test_a_source_that_was_skipped_by_hand_is_not_missing(
    fill: Fill, logs: Do, airflow: Runs, today: dt.date, store: Store
) -> None:
    await logs(4, sources=("sales",))
    assert (await fill(4, 4)).exit_code == 1
    await store.fetch("skip", "hive", "stores", today - dt.timedelta(days=4), "never had any", "eve")
    done = await fill(4, 4)
    assert len(done.launched) == 1


@pytest.mark.usefixtures("registrar")
async def test_logs_that_came_when_the_window_was_over_count(fill: Fill, logs: Do, airflow: Runs) -> None:
    assert (await fill(4, 4)).exit_code == 1
    await logs(4)
    assert len((await fill(4, 4)).launched) == 1


@pytest.mark.usefixtures("registrar")
async def test_a_run_that_is_on_its_way_is_left_alone(
    fill: Fill, logs: Do, airflow: Runs, today: dt.date, monkeypatch: pytest.MonkeyPatch
) -> None:
    await logs(4)
    monkeypatch.setattr(airflow, "look", lambda since, wanted: Airflow.look(airflow, since, wanted))
    done = await fill(4, 4)
    assert list(done.left.values()) == ["its run is on the way"]
    assert airflow.started == []


@pytest.mark.usefixtures("registrar")
async def test_a_paused_flow_is_refused(fill: Fill, airflow: Runs) -> None:
    airflow.flows = [FlowSeen("both", True, False, {"condition": BOTH.to_json()})]
    with pytest.raises(Refused, match="both is paused"):
        await fill()


@pytest.mark.usefixtures("registrar")
@pytest.mark.parametrize(
    ("first", "last", "says"),
    [(2, 5, "give the earlier date first"), (3, 0, "is not in the past"), (9999, 1, "are more than 3660")],
)
async def test_dates_that_cannot_be_meant_are_refused(fill: Fill, first: int, last: int, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        await fill(first, last)


@pytest.mark.usefixtures("registrar")
async def test_dates_that_no_log_can_have_are_refused(store: Store, airflow: Runs) -> None:
    first = dt.date(1, 1, 1)
    with pytest.raises(BadInput, match="is out of range"):
        await backfill(store, airflow.look, Wish("both", first, first, "eve"))


@pytest.mark.usefixtures("registrar")
async def test_a_flow_that_is_not_there_is_refused(fill: Fill) -> None:
    with pytest.raises(BadInput, match="did you mean both"):
        await fill(flow="bothe")


async def test_without_anybody_who_judges_it_says_so_and_can_be_repeated(
    fill: Fill, airflow: Runs, store: Store, add_flow: Do, today: dt.date, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_flow("both", BOTH, today)
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    with pytest.raises(ReadinessError, match="nobody has judged them"):
        await fill()
    assert await store.connection.fetch("select from readiness.launch") == []
