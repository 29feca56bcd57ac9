"""The registrar: our Postgres knows what Airflow has, and nothing makes it raise."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import pytest

from airflow_readiness import config
from airflow_readiness import registrar as registrar_module
from airflow_readiness.airflow_metadata import EventSeen, FlowSeen
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import Condition, combine, of_source
from airflow_readiness.core.document import Launch, load_launch
from airflow_readiness.core.names import LAUNCH_GROUP, SOURCE_GROUP
from airflow_readiness.demo.servers import free_port
from airflow_readiness.registrar import HISTORY, OVERLAP, Registrar
from airflow_readiness.store.store import Store, open_store
from tests.integration.airflow_seen import Airflow

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

AtWork: TypeAlias = Callable[..., contextlib.AbstractAsyncContextManager[asyncio.Task[Any]]]
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


def seen(
    dag_id: str, condition: Condition, *, paused: bool = False, broken: bool = False, extra: Any = None
) -> FlowSeen:
    return FlowSeen(dag_id, paused, broken, {"condition": condition.to_json()} if extra is None else extra)


def event(condition: Condition, key: str, *, ago: float = 10, extra: Any = None) -> EventSeen:
    extra = {"condition": condition.to_json()} if extra is None else extra
    return EventSeen(LAUNCH_GROUP, condition.text, key, now() - dt.timedelta(seconds=ago), extra)


def source_event(name: str, key: str) -> EventSeen:
    return EventSeen(SOURCE_GROUP, name, key, now(), {})


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


@pytest.fixture
def airflow_says(
    monkeypatch: pytest.MonkeyPatch, settings: Config, endpoints: Endpoints
) -> Callable[[Endpoints], None]:
    """What the configuration of Airflow says; call it to say something else."""
    said = [endpoints]
    monkeypatch.setattr(config, "load", lambda: settings)
    monkeypatch.setattr(config, "endpoints", lambda _settings: said[-1])
    return said.append


@pytest.mark.usefixtures("airflow_says")
async def test_a_partition_key_that_is_no_date_is_told_once_and_stops_nothing(
    store: Store,
    airflow: Airflow,
    registrar: Registrar,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    airflow.flows = [seen("bad", BOTH, extra={})]
    airflow.events = [event(BOTH, "EMEA"), event(SALES, today.isoformat(), extra={}), source_event("x.y", "")]
    airflow.events.append(event(BOTH, today.isoformat()))
    async with at_work(registrar.serve()):
        await eventually(lambda: len(airflow.since) >= 4)
        assert set(await launches(store)) == {(BOTH.text, today)}
    assert caplog.text.count("'EMEA' is not a business date") == 1
    assert caplog.text.count("an event of x.y is not one of a business date") == 1
    assert caplog.text.count("flow bad:") == 1


@pytest.mark.usefixtures("airflow_says")
async def test_of_two_one_works_and_the_other_takes_over_when_its_session_ends(
    store: Store, at_work: AtWork, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registrar_module, "STANDBY", 0.05)
    one, two = Airflow(), Airflow()
    async with at_work(Registrar(two).serve()):
        async with at_work(Registrar(one).serve()):
            await eventually(lambda: len(one.since) + len(two.since) >= 6)
            worker, standby = (one, two) if one.since else (two, one)
            assert not standby.since
            holder = await store.connection.fetchval(
                "select l.pid from pg_locks as l join pg_database as d on d.oid = l.database "
                "where l.locktype = 'advisory' and l.classid = 7303 and l.objid = 2 and l.granted "
                "and d.datname = current_database()"
            )
            assert await store.connection.fetchval("select pg_terminate_backend($1)", holder)
            await eventually(lambda: standby.since)
            looks = len(worker.since)
            have = len(standby.since)
            await eventually(lambda: len(standby.since) >= have + 3)
            assert len(worker.since) <= looks + 1, "a look may have been under way"


async def test_it_never_raises_when_postgres_is_away_and_goes_on_when_it_is_back(
    store: Store,
    airflow: Airflow,
    registrar: Registrar,
    endpoints: Endpoints,
    airflow_says: Callable[[Endpoints], None],
    at_work: AtWork,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempts: list[Any] = []

    @contextlib.asynccontextmanager
    async def counted(dsn: dict[str, Any]) -> Any:
        attempts.append(dsn)
        async with open_store(dsn) as opened:
            yield opened

    monkeypatch.setattr(registrar_module, "open_store", counted)
    airflow_says(Endpoints({**endpoints.postgres, "host": "127.0.0.1", "port": free_port()}, {}))
    async with at_work(registrar.serve()):
        await eventually(lambda: len(attempts) >= 3)
        assert caplog.text.count("the registrar cannot work") == 1
        airflow_says(endpoints)
        await eventually(lambda: store.fetch("heartbeats"))


@pytest.mark.usefixtures("airflow_says")
async def test_it_never_raises_when_airflow_cannot_be_read(
    store: Store,
    airflow: Airflow,
    registrar: Registrar,
    at_work: AtWork,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    airflow.broken = RuntimeError("no database")
    async with at_work(registrar.serve()):
        await eventually(lambda: len(airflow.since) >= 3)
        assert caplog.text.count("the registrar cannot work (RuntimeError: no database)") == 1
        airflow.broken = None
        await eventually(lambda: store.fetch("heartbeats"))


@pytest.mark.usefixtures("airflow_says")
async def test_cancelled_it_closes_its_connection(
    store: Store, airflow: Airflow, registrar: Registrar, at_work: AtWork, eventually: Eventually
) -> None:
    async def others() -> int:
        count = await store.connection.fetchval(
            "select count(*) from pg_stat_activity where application_name = 'airflow-readiness' "
            "and datname = current_database() and pid <> pg_backend_pid()"
        )
        return int(count)

    async with at_work(registrar.serve()):
        await eventually(lambda: airflow.since)
        assert await others() == 1

    async def gone() -> bool:
        return not await others()

    await eventually(gone)
