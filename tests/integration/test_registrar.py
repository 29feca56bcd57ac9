"""The registrar: our Postgres knows what Airflow has."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import pytest

from airflow_readiness.config import Config
from airflow_readiness.core.condition import Condition, combine, of_source
from airflow_readiness.core.document import Launch, load_launch
from airflow_readiness.registrar import HISTORY, OVERLAP, Registrar
from airflow_readiness.store.store import Store
from tests.integration.airflow_seen import Airflow, event, seen, source_event

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

Eventually: TypeAlias = Callable[..., Awaitable[Any]]
Row: TypeAlias = Mapping[str, Any]

SALES, STORES = of_source("hive.sales"), of_source("hive.stores")
BOTH = combine("all", [SALES, STORES])


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


@pytest.fixture
def registrar(airflow: Airflow) -> Registrar:
    return Registrar(airflow)


def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


async def flows(store: Store) -> dict[str, Row]:
    rows = await store.connection.fetch("select * from readiness.flow")
    return {row["dag_id"]: row for row in rows}


async def launches(store: Store) -> dict[tuple[str, dt.date], Row]:
    rows = await store.connection.fetch("select * from readiness.launch")
    return {(row["condition"], row["business_date"]): row for row in rows}


async def decide(store: Store, condition: Condition, day: dt.date) -> None:
    """What the processor does when a condition is satisfied."""
    launch = Launch(condition, day, {}, decided_at=now())
    await store.connection.execute(
        "insert into readiness.launch (condition, business_date, decided_at, evidence) values ($1, $2, $3, $4)",
        condition.text,
        day,
        now() - dt.timedelta(minutes=1),
        launch.to_json(),
    )


async def backdate(store: Store, days: int) -> None:
    """Let the flows be known for some days."""
    await store.connection.execute("update readiness.flow set first_date = first_date - $1::int", days)


async def test_a_flow_is_written_with_its_condition_and_judged_from_today_on(
    store: Store, airflow: Airflow, registrar: Registrar, settings: Config, today: dt.date
) -> None:
    await store.connection.execute("update readiness.deployment set timezone = $1", settings.timezone)
    airflow.flows = [seen("one", BOTH), seen("two", SALES, paused=True), seen("three", SALES, broken=True)]
    await registrar.register(store)
    written = await flows(store)
    assert set(written) == {"one", "two", "three"}
    one = written["one"]
    assert (one["condition"], one["expression"]) == (BOTH.text, BOTH.to_json())
    assert one["sources"] == ["hive.sales", "hive.stores"]
    assert one["first_date"] == today
    assert [(row["paused"], row["broken"]) for row in written.values()] == [
        (False, False),
        (True, False),
        (False, True),
    ]
    assert written["two"]["expression"] == "hive.sales"


async def test_paused_and_broken_follow_airflow(store: Store, airflow: Airflow, registrar: Registrar) -> None:
    for paused, broken in [(False, False), (True, False), (True, True), (False, False)]:
        airflow.flows = [seen("flow", BOTH, paused=paused, broken=broken)]
        await registrar.register(store)
        row = (await flows(store))["flow"]
        assert (row["paused"], row["broken"]) == (paused, broken)


async def test_a_flow_keeps_its_first_date_while_its_condition_is_the_same(
    store: Store, airflow: Airflow, registrar: Registrar
) -> None:
    airflow.flows = [seen("flow", BOTH)]
    await registrar.register(store)
    await backdate(store, 5)
    before = (await flows(store))["flow"]["first_date"]
    airflow.flows = [seen("flow", BOTH, paused=True)]
    await registrar.register(store)
    row = (await flows(store))["flow"]
    assert row["paused"]
    assert row["first_date"] == before


async def test_a_flow_that_waits_for_something_else_is_judged_from_today_on(
    store: Store, airflow: Airflow, registrar: Registrar
) -> None:
    airflow.flows = [seen("flow", BOTH)]
    await registrar.register(store)
    first = (await flows(store))["flow"]["first_date"]
    await backdate(store, 5)
    airflow.flows = [seen("flow", SALES)]
    await registrar.register(store)
    row = (await flows(store))["flow"]
    assert (row["condition"], row["sources"], row["first_date"]) == ("hive.sales", ["hive.sales"], first)


async def test_a_flow_that_is_gone_is_marked_and_judged_anew_when_it_is_back(
    store: Store, airflow: Airflow, registrar: Registrar
) -> None:
    airflow.flows = [seen("flow", BOTH), seen("other", BOTH)]
    await registrar.register(store)
    first = (await flows(store))["flow"]["first_date"]
    await backdate(store, 5)
    airflow.flows = [seen("other", BOTH)]
    await registrar.register(store)
    written = await flows(store)
    assert written["flow"]["gone_at"] is not None
    assert written["other"]["gone_at"] is None
    airflow.flows = [seen("flow", BOTH), seen("other", BOTH)]
    await registrar.register(store)
    written = await flows(store)
    assert (written["flow"]["gone_at"], written["flow"]["first_date"]) == (None, first)
    assert written["other"]["first_date"] < first


async def test_nothing_in_airflow_marks_every_flow_as_gone(
    store: Store, airflow: Airflow, registrar: Registrar
) -> None:
    airflow.flows = [seen("flow", BOTH)]
    await registrar.register(store)
    airflow.flows = []
    await registrar.register(store)
    assert (await flows(store))["flow"]["gone_at"] is not None


async def test_a_look_that_changes_nothing_rings_nobody(
    store: Store, airflow: Airflow, registrar: Registrar, eventually: Eventually
) -> None:
    airflow.flows = [seen("flow", BOTH)]
    await registrar.register(store)
    rung: list[str] = []
    await store.ring_on(rung.append)
    await registrar.register(store)
    await registrar.register(store)
    await store.ring("the end")
    await eventually(lambda: "the end" in rung)
    assert "flow" not in rung


async def test_an_event_marks_its_launch_as_published_and_keeps_the_evidence(
    store: Store, airflow: Airflow, registrar: Registrar, today: dt.date
) -> None:
    await decide(store, BOTH, today)
    before = (await launches(store))[BOTH.text, today]
    seen_event = event(BOTH, today.isoformat())
    airflow.events = [seen_event]
    await registrar.register(store)
    row = (await launches(store))[BOTH.text, today]
    assert row["published_at"] == seen_event.at
    assert (row["decided_at"], row["evidence"]) == (before["decided_at"], before["evidence"])
    airflow.events = [event(BOTH, today.isoformat(), ago=0)]
    await registrar.register(store)
    assert (await launches(store))[BOTH.text, today]["published_at"] == seen_event.at, "the first counts"


async def test_an_event_that_nobody_decided_is_a_launch_by_hand(
    store: Store, airflow: Airflow, registrar: Registrar, today: dt.date
) -> None:
    by_hand = event(BOTH, today.isoformat())
    airflow.events = [by_hand]
    await registrar.register(store)
    row = (await launches(store))[BOTH.text, today]
    assert (row["decided_at"], row["published_at"]) == (by_hand.at, by_hand.at)
    launch = load_launch(row["evidence"])
    assert (launch.condition, launch.business_date, dict(launch.sources)) == (BOTH, today, {})


async def test_the_same_launch_twice_in_one_look_stops_nothing(
    store: Store, airflow: Airflow, registrar: Registrar, today: dt.date
) -> None:
    airflow.events = [event(BOTH, today.isoformat(), ago=n) for n in (20, 10)]
    await registrar.register(store)
    assert set(await launches(store)) == {(BOTH.text, today)}


async def test_an_event_of_a_source_is_its_lineage(
    store: Store, airflow: Airflow, registrar: Registrar, today: dt.date
) -> None:
    await store.run("expect", "hive", "sales", today, None)
    airflow.events = [source_event("hive.sales", today.isoformat())]
    await registrar.register(store)
    rows = await store.connection.fetch("select source, event_published_at from readiness.processed_log")
    assert [(row["source"], row["event_published_at"]) for row in rows] == [
        ("hive.sales", airflow.events[0].at)
    ]


async def test_a_run_that_is_missing_is_to_be_repaired_until_it_is_seen(
    store: Store, airflow: Airflow, registrar: Registrar, today: dt.date
) -> None:
    day = today.isoformat()
    airflow.flows = [seen(dag_id, BOTH) for dag_id in ("late", "on_its_way", "started")]
    airflow.events = [event(BOTH, day)]
    await registrar.register(store)
    await backdate(store, 1)
    # "on_its_way" is in Airflow's queue: neither found nor missing
    airflow.runs = {("started", day): "run_1", ("late", day): None}
    await registrar.register(store)
    assert airflow.wanted == [("late", day), ("on_its_way", day), ("started", day)]
    rows = await store.connection.fetch("select dag_id, run_id from readiness.launch_run")
    assert {row["dag_id"]: row["run_id"] for row in rows} == {"started": "run_1", "late": None}
    assert airflow.started == [("late", day)]
    await registrar.register(store)
    assert airflow.started == [("late", day)], "started again before Airflow could show the run"
    airflow.runs = {("late", day): "run_2", ("on_its_way", day): "run_3"}
    await registrar.register(store)
    assert airflow.wanted == [("late", day), ("on_its_way", day)]
    assert await store.fetch("repairs", 10) == []
    await registrar.register(store)
    assert airflow.wanted == []


async def test_a_flow_that_airflow_refuses_to_start_is_complained_about_and_tried_again(
    store: Store,
    airflow: Airflow,
    registrar: Registrar,
    today: dt.date,
    caplog: pytest.LogCaptureFixture,
) -> None:
    day = today.isoformat()
    airflow.flows, airflow.events = [seen("flow", BOTH)], [event(BOTH, day)]
    await registrar.register(store)
    await backdate(store, 1)
    airflow.runs, airflow.refuses = {("flow", day): None}, ValueError("no such run type")
    await registrar.register(store)
    assert "flow flow missed its launch" in caplog.text
    assert "no such run type" in caplog.text
    airflow.refuses = None
    await store.connection.execute(
        "update readiness.launch_run set repaired_at = repaired_at - interval '61 s'"
    )
    await registrar.register(store)
    assert airflow.started == [("flow", day)]


async def test_a_run_that_was_seen_is_never_missing_again(
    store: Store, airflow: Airflow, registrar: Registrar, today: dt.date
) -> None:
    await store.run("runs_seen", ["flow"], [today], [BOTH.text], ["run_1"])
    await store.run("runs_seen", ["flow"], [today], [BOTH.text], [None])
    assert await store.connection.fetchval("select run_id from readiness.launch_run") == "run_1"


async def test_dates_before_a_flow_was_known_are_not_wanted(
    store: Store, airflow: Airflow, registrar: Registrar, today: dt.date
) -> None:
    airflow.flows = [seen("flow", BOTH)]
    airflow.events = [event(BOTH, (today - dt.timedelta(days=3)).isoformat())]
    await registrar.register(store)
    await registrar.register(store)
    assert airflow.wanted == []


async def test_the_first_look_goes_far_back_and_the_next_do_not(
    store: Store, airflow: Airflow, registrar: Registrar
) -> None:
    await registrar.register(store)
    await registrar.register(store)
    first, second = (now() - since for since in airflow.since)
    assert HISTORY <= first < HISTORY + dt.timedelta(seconds=30)
    assert OVERLAP <= second < OVERLAP + dt.timedelta(seconds=30)


async def test_a_look_that_failed_is_made_up_for_by_a_long_one(
    store: Store, airflow: Airflow, registrar: Registrar
) -> None:
    airflow.broken = RuntimeError("no database")
    with pytest.raises(RuntimeError):
        await registrar.register(store)
    airflow.broken = None
    await registrar.register(store)
    assert now() - airflow.since[-1] >= HISTORY


async def test_it_says_that_it_is_at_work(store: Store, airflow: Airflow, registrar: Registrar) -> None:
    airflow.flows = [seen("flow", BOTH)]
    began = await store.connection.fetchval("select clock_timestamp()")
    await registrar.register(store)
    (beat,) = await store.fetch("heartbeats")
    assert (beat["part"], beat["detail"]) == ("registrar", {"flows": 1, "triggerers": 2, "paused": ["x"]})
    assert beat["beat_at"] >= began


@pytest.mark.parametrize("extra", [{}, {"condition": 5}, {"condition": "no_dot"}, [], "text"])
async def test_a_flow_whose_asset_is_none_of_ours_hides_no_other(
    store: Store, airflow: Airflow, registrar: Registrar, extra: Any, caplog: pytest.LogCaptureFixture
) -> None:
    airflow.flows = [seen("bad", BOTH, extra=extra), seen("good", BOTH)]
    for _ in range(3):
        await registrar.register(store)
    assert set(await flows(store)) == {"good"}
    assert caplog.text.count("flow bad:") == 1


async def test_a_flow_on_two_conditions_hides_no_other(
    store: Store, airflow: Airflow, registrar: Registrar, caplog: pytest.LogCaptureFixture
) -> None:
    airflow.flows = [seen("twice", BOTH), seen("twice", SALES), seen("good", BOTH)]
    for _ in range(3):
        await registrar.register(store)
    assert set(await flows(store)) == {"twice", "good"}
    assert caplog.text.count("flow twice is scheduled on several conditions") == 1
