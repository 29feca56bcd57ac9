"""``on_late = rerun``: flows that went without a source are started again when it has come, once."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from airflow_readiness import engine, outbox
from airflow_readiness.airflow_metadata import EventSeen, FlowSeen
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import Condition, combine, of_source, timed
from airflow_readiness.core.names import LAUNCH_GROUP
from airflow_readiness.core.state import Outcome
from airflow_readiness.engine import launch_of
from airflow_readiness.registrar import Registrar
from airflow_readiness.store.store import Store
from tests.integration.airflow_seen import Airflow

Do = Callable[..., Awaitable[None]]

DAY = dt.date(2026, 11, 20)
A, B, C = (of_source(f"hive.{letter}") for letter in "abc")
BOTH, EITHER = combine("all", [A, B]), combine("any", [A, B])


def at(clock: str) -> dt.datetime:
    return dt.datetime.combine(DAY, dt.time.fromisoformat(clock), dt.timezone.utc)


@pytest.fixture
def options(store: Store) -> Do:
    async def set_(source: str, **named: str) -> None:
        given = ", ".join(f"{name} => '{value}'" for name, value in named.items())
        await store.connection.execute(
            f"select readiness.set_source_options($1, $2, {given})", *source.split(".")
        )

    return set_


@pytest.fixture
def flow(store: Store, set_settings: Do, add_flow: Do, options: Do) -> Do:
    """A flow whose sources have their deadlines at 06:00, 07:00 and 08:00, and are started again for."""

    async def make(condition: Condition) -> None:
        for number, name in enumerate(condition.sources):
            await set_settings(name, f"{6 + number:02}:00")
            await options(name, on_late="rerun")
        await add_flow("flow", condition, DAY)
        await engine.tick(store, everything=True, now=at("00:00"))

    return make


async def published(store: Store) -> None:
    """What is due was taken by a worker, and recorded by Airflow."""
    rows = await store.fetch("outbox", 10)
    await store.run_pairs("attempt", [(row["condition"], row["business_date"]) for row in rows])
    await store.connection.execute("update readiness.launch set published_at = decided_at")


async def arrives(store: Store, report: Do, source: str, clock: str) -> list[Any]:
    """A log row, and the step that it rings for: what is started again."""
    await report(source, at(clock))
    return (await engine.tick(store, now=at(clock))).again


async def test_a_source_that_comes_late_starts_its_flows_again_once(store: Store, flow: Do, report: Do) -> None:
    await flow(BOTH)
    await report("hive.b", at("01:00"))
    (launch,) = (await engine.tick(store, now=at("06:00"))).launched
    assert launch.outcomes["hive.a"] is Outcome.DEADLINE
    await published(store)
    (again,) = await arrives(store, report, "hive.a", "09:00")
    assert (again.rerun, again.outcomes["hive.a"], again.decided_at) == (1, Outcome.READY, at("09:00"))
    for everything in (False, True):
        assert (await engine.tick(store, everything=everything, now=at("10:00"))).again == []
    (row,) = await store.connection.fetch("select * from readiness.rerun")
    assert (row["condition"], row["business_date"], row["number"]) == (BOTH.text, DAY, 1)
    assert launch_of(row) == again
    (launch,) = await store.connection.fetch("select * from readiness.launch")
    assert launch_of(launch).outcomes["hive.a"] is Outcome.DEADLINE, "the launch is what it was"


async def test_each_that_comes_late_starts_them_again_and_two_at_once_only_once(
    store: Store, flow: Do, report: Do
) -> None:
    await flow(combine("all", [A, B, C]))
    await engine.tick(store, now=at("08:00"))
    await published(store)
    await report("hive.a", at("09:00"))
    assert [each.rerun for each in await arrives(store, report, "hive.b", "09:00")] == [1]
    (second,) = await arrives(store, report, "hive.c", "10:00")
    assert second.rerun == 2
    assert set(second.outcomes.values()) == {Outcome.READY}
    assert (await engine.tick(store, everything=True, now=at("11:00"))).again == []


async def test_a_source_that_does_not_say_so_starts_nothing(
    store: Store, flow: Do, report: Do, options: Do
) -> None:
    await flow(A)
    await options("hive.a", on_late="ignore")
    await engine.tick(store, now=at("06:00"))
    await published(store)
    assert await arrives(store, report, "hive.a", "09:00") == []


async def test_a_launch_that_did_not_wait_for_it_is_not_made_again(store: Store, flow: Do, report: Do) -> None:
    await flow(EITHER)
    await report("hive.b", at("01:00"))
    assert len((await engine.tick(store, now=at("01:00"))).launched) == 1
    await published(store)
    await engine.tick(store, now=at("06:00"))
    assert await arrives(store, report, "hive.a", "09:00") == []


async def test_a_launch_by_the_flows_own_deadline_went_without_what_was_missed_later(
    store: Store, flow: Do, report: Do
) -> None:
    await flow(timed(A, deadline=dt.time(5)))
    assert len((await engine.tick(store, now=at("05:00"))).launched) == 1
    await published(store)
    await engine.tick(store, now=at("06:00"))
    assert len(await arrives(store, report, "hive.a", "09:00")) == 1


async def test_a_launch_that_no_worker_has_taken_takes_it_along(
    store: Store, settings: Config, endpoints: Endpoints, flow: Do, report: Do
) -> None:
    await flow(A)
    await engine.tick(store, now=at("06:00"))
    assert await arrives(store, report, "hive.a", "09:00") == []
    due = await outbox.due_in_postgres(settings, endpoints, [], lambda *_: None)
    (launch,) = due.launches
    assert launch.outcomes == {"hive.a": Outcome.READY}
    assert launch.decided_at == at("06:00")
    assert (await engine.tick(store, everything=True, now=at("10:00"))).again == []


async def test_a_launch_that_is_being_published_is_made_again(store: Store, flow: Do, report: Do) -> None:
    await flow(A)
    await engine.tick(store, now=at("06:00"))
    await store.run_pairs("attempt", [(A.text, DAY)])
    assert len(await arrives(store, report, "hive.a", "06:01")) == 1


async def test_a_worker_that_takes_it_while_the_source_comes_publishes_what_is_known_then(
    store: Store,
    settings: Config,
    endpoints: Endpoints,
    flow: Do,
    report: Do,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await flow(A)
    await engine.tick(store, now=at("06:00"))
    launches = outbox._launches

    async def slow(*arguments: Any) -> Any:
        found = await launches(*arguments)
        assert await arrives(store, report, "hive.a", "06:01") == []
        return found

    monkeypatch.setattr(outbox, "_launches", slow)
    (launch,) = (await outbox.due_in_postgres(settings, endpoints, [], lambda *_: None)).launches
    assert launch.outcomes == {"hive.a": Outcome.READY}


async def test_a_launch_around_postgres_went_without_it_although_nobody_wrote_that_down(
    store: Store, flow: Do, report: Do
) -> None:
    await flow(A)
    # Postgres was away at the deadline: a worker has published by Redis, and the source came then
    await report("hive.a", at("06:30"))
    result = await engine.tick(store, now=at("07:00"))
    assert (len(result.launched), result.again) == (1, [])
    by_hand = result.launched[0].to_json()
    await store.fetch("published", [A.text], [DAY], [at("06:00")], [by_hand])
    assert len((await engine.tick(store, everything=True, now=at("07:01"))).again) == 1
    assert (await engine.tick(store, everything=True, now=at("07:02"))).again == []


async def test_what_was_skipped_for_want_of_it_is_started_when_it_comes(
    store: Store, flow: Do, report: Do, options: Do
) -> None:
    await flow(BOTH)
    for name in ("hive.a", "hive.b"):
        await options(name, on_deadline="skip")
    assert len((await engine.tick(store, now=at("07:00"))).skipped) == 1
    assert await arrives(store, report, "hive.a", "09:00") == [], "the other one is still missing"
    (again,) = await arrives(store, report, "hive.b", "10:00")
    assert set(again.outcomes.values()) == {Outcome.READY}


async def test_what_was_skipped_is_started_also_if_the_last_that_stopped_it_does_not_say_so(
    store: Store, flow: Do, report: Do, options: Do
) -> None:
    await flow(BOTH)
    await options("hive.a", on_deadline="skip")
    await options("hive.b", on_deadline="skip", on_late="ignore")
    await engine.tick(store, now=at("07:00"))
    assert await arrives(store, report, "hive.a", "09:00") == []
    assert len(await arrives(store, report, "hive.b", "10:00")) == 1
    assert (await engine.tick(store, everything=True, now=at("11:00"))).again == []


async def test_a_launch_is_never_told_that_it_is_skipped(
    store: Store, flow: Do, report: Do, options: Do
) -> None:
    await flow(timed(BOTH, deadline=dt.time(5)))
    await options("hive.b", on_deadline="skip")
    (launch,) = (await engine.tick(store, now=at("05:00"))).launched
    await engine.tick(store, now=at("07:00"))
    assert await arrives(store, report, "hive.a", "09:00") == []
    (row,) = await store.fetch("outbox", 5)
    assert launch_of(row) == launch


async def test_what_was_skipped_by_the_flows_own_deadline_is_never_started(
    store: Store, flow: Do, report: Do
) -> None:
    await flow(timed(BOTH, deadline=dt.time(6, 30), on="skip"))
    assert len((await engine.tick(store, now=at("06:30"))).skipped) == 1
    await report("hive.b", at("06:40"))
    assert await arrives(store, report, "hive.a", "09:00") == []


async def test_not_even_if_a_row_that_was_committed_late_would_have_been_in_time(
    store: Store, flow: Do, report: Do
) -> None:
    await flow(timed(BOTH, deadline=dt.time(6, 30), on="skip"))
    assert len((await engine.tick(store, now=at("06:30"))).skipped) == 1
    await report("hive.b", at("06:20"))
    await engine.tick(store, now=at("06:40"))
    assert await arrives(store, report, "hive.a", "09:00") == []


@pytest.fixture
def airflow() -> Airflow:
    airflow = Airflow()
    airflow.flows = [FlowSeen(name, False, False, {"condition": A.to_json()}) for name in ("one", "two")]
    return airflow


@pytest.fixture
async def launched(store: Store, airflow: Airflow, options: Do, today: dt.date) -> Registrar:
    """Both flows were launched for today without their source; ``two`` was paused, and has no run."""
    await options("hive.a", on_late="rerun")
    registrar = Registrar(airflow)
    airflow.flows[1] = dataclasses.replace(airflow.flows[1], paused=True)
    await registrar.register(store)
    await store.connection.execute("update readiness.flow set first_date = $1", today)
    now = await engine.clock(store)
    await store.run("expect", "hive", "a", today, now - dt.timedelta(minutes=2))
    await engine.tick(store, everything=True)
    await store.run_pairs("attempt", [(A.text, today)])
    extra = {"condition": A.to_json()}
    airflow.events = [EventSeen(LAUNCH_GROUP, A.text, today.isoformat(), now - dt.timedelta(seconds=30), extra)]
    airflow.runs = {("one", today.isoformat()): "run 1", ("two", today.isoformat()): None}
    await registrar.register(store)
    await registrar.register(store)
    assert airflow.started == []
    return registrar


async def comes_late(store: Store, today: dt.date) -> None:
    await store.connection.execute("select readiness.report_log('hive', 'a', $1)", today)
    result = await engine.tick(store)
    assert [(each.business_date, each.rerun) for each in result.again] == [(today, 1)]


async def test_the_registrar_starts_each_flow_that_has_run_again_once(
    store: Store, airflow: Airflow, launched: Registrar, today: dt.date
) -> None:
    await comes_late(store, today)
    await launched.register(store)
    await launched.register(store)
    assert airflow.started == [("one", today.isoformat())]
    (told,) = airflow.evidence
    assert (told.rerun, told.outcomes) == (1, {"hive.a": Outcome.READY})
    (row,) = await store.connection.fetch("select * from readiness.rerun_run")
    assert (row["dag_id"], row["run_id"]) == ("one", f"run {today} 1")


async def test_a_flow_that_starts_late_itself_is_told_and_not_started_twice(
    store: Store, airflow: Airflow, launched: Registrar, today: dt.date
) -> None:
    await comes_late(store, today)
    airflow.flows[1] = dataclasses.replace(airflow.flows[1], paused=False)
    airflow.flows = airflow.flows[1:]
    await launched.register(store)
    assert airflow.started == [("two", today.isoformat())]
    (told,) = airflow.evidence
    # it is its launch, with what has come
    assert told.outcomes == {"hive.a": Outcome.READY}
    airflow.runs["two", today.isoformat()] = "run 2"
    await launched.register(store)
    await launched.register(store)
    assert airflow.started == [("two", today.isoformat())]


async def test_what_airflow_refuses_is_tried_again_after_a_minute(
    store: Store, airflow: Airflow, launched: Registrar, today: dt.date, caplog: pytest.LogCaptureFixture
) -> None:
    await comes_late(store, today)
    airflow.refuses = RuntimeError("database is locked")
    for _ in range(3):
        await launched.register(store)
    assert caplog.text.count("flow one cannot be started again") == 1
    airflow.refuses = None
    await launched.register(store)
    assert airflow.started == []
    await store.connection.execute("update readiness.rerun_run set attempted_at = now() - interval '2 minutes'")
    await launched.register(store)
    assert airflow.started == [("one", today.isoformat())]
