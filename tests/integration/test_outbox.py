"""The outbox: what is due and not seen in Airflow; held, attempted, repaired, and left behind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from airflow_readiness import engine, outbox
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import Condition, combine, of_source
from airflow_readiness.core.document import Launch, load_launch
from airflow_readiness.core.state import Outcome, State
from airflow_readiness.outbox import Due
from airflow_readiness.store.store import Store

A, B = of_source("hive.a"), of_source("hive.b")
BOTH = combine("all", [A, B])

Do = Callable[..., Awaitable[None]]
Look = Callable[..., Awaitable[Due]]


class Airflow:
    """Airflow's asset events of launches, as a worker can ask for them."""

    def __init__(self) -> None:
        self.events: dict[tuple[str, dt.date], dt.datetime] = {}
        self.silent = False
        self.asked = 0

    def recorded(self, launch: Launch, since: dt.datetime) -> dt.datetime | None:
        self.asked += 1
        if self.silent:
            raise RuntimeError("500 Internal Server Error")
        at = self.events.get((launch.condition.text, launch.business_date))
        return at if at and at >= since else None


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


@pytest.fixture
def look(settings: Config, endpoints: Endpoints, airflow: Airflow) -> Look:
    """What the collector's worker finds due."""

    async def due(*sources: str, step: bool = False) -> Due:
        return await outbox.due_in_postgres(settings, endpoints, list(sources), airflow.recorded, step=step)

    return due


@pytest.fixture
def decide(store: Store, report: Do, today: dt.date) -> Do:
    """Make sources ready for today, and take a step."""

    async def ready(*sources: str) -> None:
        for source in sources:
            await store.run(
                "expect", *source.split("."), today, await engine.clock(store) + dt.timedelta(hours=3)
            )
            await report(source, await engine.clock(store), today)
        await engine.tick(store, everything=True)

    return ready


async def published(store: Store, condition: Condition, day: dt.date, ago: float = 60) -> list[Any]:
    """What the registrar does when it sees a launch's event."""
    at = await engine.clock(store) - dt.timedelta(seconds=ago)
    by_hand = Launch(condition, day, {}, decided_at=at)
    return await store.fetch("published", [condition.text], [day], [at], [by_hand.to_json()])


async def registrar_looked(store: Store, ago: float) -> None:
    """The registrar's heartbeat, by seconds; a negative number is in the future."""
    await store.run("beat", "registrar", await engine.clock(store) - dt.timedelta(seconds=ago), {})


async def attempted(store: Store, ago: float) -> None:
    await store.connection.execute(
        "update readiness.launch set attempted_at = clock_timestamp() - make_interval(secs => $1)", ago
    )


async def outbox_of(store: Store) -> list[str]:
    return [row["condition"] for row in await store.fetch("outbox", 100)]


async def test_a_launch_is_due_with_its_evidence_and_marked_as_attempted(
    store: Store, add_flow: Do, decide: Do, look: Look, today: dt.date
) -> None:
    await add_flow("flow", A, today)
    await decide("hive.a")
    (launch,) = (await look()).launches
    assert (launch.condition, launch.business_date) == (A, today)
    assert launch.outcomes == {"hive.a": Outcome.READY}
    (row,) = await store.connection.fetch("select attempts, attempted_at, published_at from readiness.launch")
    assert (row["attempts"], row["published_at"]) == (1, None)
    assert row["attempted_at"] is not None


async def test_a_worker_that_stands_in_for_the_processor_decides_what_it_publishes(
    store: Store, add_flow: Do, report: Do, look: Look, today: dt.date
) -> None:
    await add_flow("flow", A, today)
    await report("hive.a", await engine.clock(store), today)
    assert (await look()).launches == []
    (launch,) = (await look(step=True)).launches
    assert (launch.condition, launch.business_date) == (A, today)


@pytest.mark.parametrize("reason", ["paused", "broken"])
async def test_a_launch_is_held_while_all_its_flows_are_paused_or_broken(
    store: Store, add_flow: Do, decide: Do, today: dt.date, reason: str
) -> None:
    await add_flow("one", A, today, **{reason: True})
    await add_flow("two", A, today, paused=True)
    await decide("hive.a")
    assert await outbox_of(store) == []
    await add_flow("one", A, today)
    assert await outbox_of(store) == [A.text]


async def test_a_launch_whose_flows_are_gone_is_not_due(
    store: Store, add_flow: Do, decide: Do, today: dt.date
) -> None:
    await add_flow("flow", A, today)
    await decide("hive.a")
    assert [row["dag_id"] for row in await store.fetch("flows_gone", [])] == ["flow"]
    assert await outbox_of(store) == []


@pytest.mark.parametrize(
    ("attempt_ago", "registrar_ago", "due"),
    [(10, 11, False), (10, 6, False), (10, 4, True), (59, None, False), (61, None, True)],
)
async def test_what_was_attempted_comes_back_when_the_registrar_has_looked_since_or_after_a_minute(
    store: Store, add_flow: Do, decide: Do, today: dt.date,
    attempt_ago: float, registrar_ago: float | None, due: bool,
) -> None:  # fmt: skip
    await add_flow("flow", A, today)
    await decide("hive.a")
    await attempted(store, attempt_ago)
    if registrar_ago is not None:
        await registrar_looked(store, registrar_ago)
    assert await outbox_of(store) == ([A.text] if due else [])


@pytest.mark.parametrize("attempt_ago", [None, 90])
async def test_what_airflow_has_recorded_is_not_published_though_the_registrar_has_not_seen_it(
    store: Store,
    add_flow: Do,
    decide: Do,
    look: Look,
    today: dt.date,
    airflow: Airflow,
    attempt_ago: float | None,
) -> None:
    await add_flow("flow", A, today)
    await decide("hive.a")
    if attempt_ago:
        await attempted(store, attempt_ago)
    await registrar_looked(store, 1)
    airflow.events[A.text, today] = at = await engine.clock(store)
    assert (await look()).launches == []
    assert await store.connection.fetchval("select published_at from readiness.launch") == at
    assert await outbox_of(store) == []


async def test_what_was_attempted_and_is_not_recorded_is_published_again(
    store: Store, add_flow: Do, decide: Do, look: Look, today: dt.date, airflow: Airflow
) -> None:
    await add_flow("flow", A, today)
    await decide("hive.a")
    await attempted(store, 10)
    await registrar_looked(store, 1)
    assert [launch.condition for launch in (await look()).launches] == [A]
    assert airflow.asked == 1


async def test_where_airflow_does_not_say_the_next_look_of_the_registrar_decides(
    store: Store,
    add_flow: Do,
    decide: Do,
    look: Look,
    today: dt.date,
    airflow: Airflow,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(outbox, "PATIENCE", 0.5)
    airflow.silent = True
    await add_flow("flow", A, today)
    await decide("hive.a")
    await registrar_looked(store, 1)
    assert (await look()).launches == []
    assert "Airflow does not say whether hive.a was published" in caplog.text
    await registrar_looked(store, -60)
    assert [launch.condition for launch in (await look()).launches] == [A]


async def test_of_many_launches_the_registrar_is_asked_and_not_airflow_one_by_one(
    store: Store,
    add_flow: Do,
    decide: Do,
    look: Look,
    today: dt.date,
    airflow: Airflow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "PATIENCE", 0.5)
    names = [f"hive.t{number}" for number in range(outbox.ASK + 5)]
    for name in names:
        await add_flow(name, of_source(name), today)
    await decide(*names)
    await registrar_looked(store, -60)
    assert len((await look()).launches) == len(names)
    assert airflow.asked == 0


async def test_of_many_launches_some_are_published_even_if_the_registrar_never_looks(
    store: Store,
    add_flow: Do,
    decide: Do,
    look: Look,
    today: dt.date,
    airflow: Airflow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "PATIENCE", 0.5)
    names = [f"hive.t{number}" for number in range(outbox.ASK + 5)]
    for name in names:
        await add_flow(name, of_source(name), today)
    await decide(*names)
    assert len((await look()).launches) == outbox.ASK
    assert airflow.asked == outbox.ASK


async def test_what_airflow_has_recorded_leaves_for_ever(
    store: Store, add_flow: Do, decide: Do, today: dt.date
) -> None:
    await add_flow("flow", A, today)
    await decide("hive.a")
    assert len(await published(store, A, today)) == 1
    await attempted(store, 3600)
    assert await outbox_of(store) == []
    # seen again, it stays as it is
    assert await published(store, A, today, ago=0) == []


async def test_one_that_was_published_by_hand_is_not_launched_again(
    store: Store, add_flow: Do, decide: Do, today: dt.date
) -> None:
    await add_flow("flow", A, today)
    await published(store, A, today)
    await decide("hive.a")
    assert await outbox_of(store) == []
    (row,) = await store.connection.fetch("select condition, evidence from readiness.launch")
    assert load_launch(row["evidence"]).sources == {}


async def test_an_event_that_was_seen_twice_in_one_look_stops_nothing(store: Store, today: dt.date) -> None:
    at = await engine.clock(store)
    first = at - dt.timedelta(seconds=5)
    by_hand = Launch(A, today, {}, decided_at=at).to_json()
    rows = await store.fetch("published", [A.text] * 2, [today] * 2, [at, first], [by_hand] * 2)
    assert len(rows) == 1
    assert await store.connection.fetchval("select published_at from readiness.launch") == first


async def repairs(store: Store) -> list[str]:
    """The flows that the registrar has to start by themselves."""
    return [row["dag_id"] for row in await store.fetch("repairs", 10)]


async def test_a_flow_that_missed_its_launch_is_repaired_until_its_run_is_seen(
    store: Store, add_flow: Do, decide: Do, today: dt.date
) -> None:
    await add_flow("one", A, today)
    await add_flow("two", A, today)
    await decide("hive.a")
    await published(store, A, today)
    wanted = await store.fetch("runs_wanted")
    assert {row["dag_id"] for row in wanted} == {"one", "two"}
    await store.run("runs_seen", ["one", "two"], [today] * 2, [A.text] * 2, ["run-1", None])

    assert await repairs(store) == ["two"]
    await store.run_pairs("repaired", [("two", today)])
    assert await repairs(store) == []
    await store.connection.execute(
        "update readiness.launch_run set repaired_at = repaired_at - interval '61 s'"
    )
    assert await repairs(store) == ["two"]

    await store.run("runs_seen", ["two"], [today], [A.text], ["readiness__run"])
    await store.connection.execute("update readiness.launch_run set repaired_at = null")
    assert await repairs(store) == []
    assert await store.fetch("runs_wanted") == []


async def test_a_launch_that_has_just_been_published_has_a_moment_to_make_its_runs(
    store: Store, add_flow: Do, decide: Do, today: dt.date
) -> None:
    await add_flow("flow", A, today)
    await decide("hive.a")
    await published(store, A, today, ago=0)
    assert await store.fetch("runs_wanted") == []


async def test_a_flow_that_missed_its_launch_is_not_repaired_while_it_is_paused(
    store: Store, add_flow: Do, decide: Do, today: dt.date
) -> None:
    await add_flow("flow", A, today, paused=True)
    await decide("hive.a")
    await published(store, A, today)
    await store.run("runs_seen", ["flow"], [today], [A.text], [None])
    assert await repairs(store) == []
    await add_flow("flow", A, today)
    assert await repairs(store) == ["flow"]


async def test_lineage_is_for_sources_that_airflow_knows_and_comes_last(
    store: Store, add_flow: Do, decide: Do, look: Look, today: dt.date
) -> None:
    await add_flow("flow", A, today)
    await decide("hive.a", "hive.b", "hive.unknown")
    assert len((await look("hive.b")).launches) == 1
    due = await look("hive.b")
    assert {(known.source, known.state) for known in due.lineage} == {
        ("hive.a", State.READY),
        ("hive.b", State.READY),
    }


async def test_lineage_is_attempted_again_when_the_registrar_has_not_seen_it_for_a_minute(
    store: Store, decide: Do, look: Look, today: dt.date
) -> None:
    async def again(seconds: int) -> int:
        await store.connection.execute(
            "update readiness.processed_log"
            " set event_attempted_at = clock_timestamp() - make_interval(secs => $1)",
            seconds,
        )
        return len((await look("hive.a")).lineage)

    await decide("hive.a")
    assert len((await look("hive.a")).lineage) == 1
    # a registrar that does not look has seen nothing: it may be there
    await registrar_looked(store, ago=3600)
    assert await again(120) == 0
    await registrar_looked(store, ago=0)
    assert await again(50) == 0
    assert await again(70) == 1
    await store.run("lineage_published", ["hive.a"], [today], [await engine.clock(store)])
    assert await again(70) == 0


async def test_a_source_that_still_waits_has_no_lineage(store: Store, look: Look, today: dt.date) -> None:
    await store.run("expect", "hive", "a", today, await engine.clock(store) + dt.timedelta(hours=3))
    await engine.tick(store)
    assert (await look("hive.a")).lineage == []
