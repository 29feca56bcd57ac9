"""A source without which a launch is not made: the flow is skipped for that date, or has a failed run."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Awaitable, Callable

import pytest
from airflow.sdk.exceptions import AirflowFailException
from redis.asyncio import Redis

from airflow_readiness import ReadySensor, engine, outbox
from airflow_readiness.airflow_metadata import FlowSeen
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import Condition, Moment, Verdict, at_least, combine, of_source
from airflow_readiness.core.explain import explain
from airflow_readiness.core.judge import judge
from airflow_readiness.core.state import OnDeadline, Outcome, Readiness, State
from airflow_readiness.demo.servers import free_port
from airflow_readiness.registrar import Registrar
from airflow_readiness.signal import snapshot
from airflow_readiness.store.store import Store
from tests.integration.airflow_seen import Airflow

Do = Callable[..., Awaitable[None]]

DAY = dt.date(2026, 11, 20)
A, B, C = (of_source(f"hive.{letter}") for letter in "abc")
BOTH = combine("all", [A, B])


def at(clock: str) -> dt.datetime:
    return dt.datetime.combine(DAY, dt.time.fromisoformat(clock), dt.timezone.utc)


@pytest.fixture
def says(store: Store) -> Do:
    async def set_(source: str, on_deadline: str) -> None:
        query = "select readiness.set_source_options($1, $2, on_deadline => $3)"
        await store.connection.execute(query, *source.split("."), on_deadline)

    return set_


@pytest.mark.parametrize(
    ("condition", "a", "b", "ready", "expected"),
    [
        (BOTH, "skip", "run", ["hive.b"], ("06:00", "skipped")),
        # decided when nothing is waited for any more: until then a may come late
        (BOTH, "skip", "run", [], ("07:00", "skipped")),
        (BOTH, "run", "skip", ["hive.b"], ("06:00", "launched")),
        (BOTH, "skip", "fail", [], ("07:00", "failed")),
        (BOTH, "fail", "run", ["hive.b"], ("06:00", "failed")),
        (combine("any", [A, B]), "skip", "run", ["hive.b"], ("01:00", "launched")),
        (combine("any", [A, B]), "skip", "run", [], ("07:00", "skipped")),
        # two are enough, and it was not one of them
        (at_least(2, [A, B, C]), "fail", "run", ["hive.b", "hive.c"], ("01:00", "launched")),
        (at_least(2, [A, B, C]), "fail", "run", ["hive.b"], ("08:00", "failed")),
        # b is not needed
        (combine("all", [combine("any", [A, B]), C]), "run", "fail", ["hive.a"], ("08:00", "launched")),
    ],
)
async def test_a_launch_without_it_is_what_it_says(
    store: Store,
    set_settings: Do,
    says: Do,
    report: Do,
    add_flow: Do,
    condition: Condition,
    a: str,
    b: str,
    ready: list[str],
    expected: tuple[str, str],
) -> None:
    for number, name in enumerate(["hive.a", "hive.b", "hive.c"]):
        await set_settings(name, f"{6 + number:02}:00")
    await says("hive.a", a)
    await says("hive.b", b)
    await add_flow("flow", condition, DAY)
    for name in ready:
        await report(name, at("01:00"))
    found: list[tuple[str, str]] = []
    now = at("01:00")
    while now < at("09:00"):
        result = await engine.tick(store, everything=now == at("01:00"), now=now)
        found += [(f"{now:%H:%M}", "launched") for _ in result.launched]
        found += [(f"{now:%H:%M}", each.verdict.value) for each in result.skipped if each.verdict]
        assert result.wake_at
        now = result.wake_at
    assert found == [expected]
    (row,) = await store.fetch("launch", condition.text, DAY)
    assert row["decision"] == expected[1]
    assert bool(await store.fetch("outbox", 5)) == (expected[1] == "launched")


async def test_what_it_says_takes_effect_at_once_also_when_it_is_missed_already(
    store: Store, set_settings: Do, says: Do, add_flow: Do
) -> None:
    await set_settings("hive.a", "06:00")
    await set_settings("hive.b", "07:00")
    await add_flow("flow", BOTH, DAY)
    await engine.tick(store, everything=True, now=at("06:30"))
    await says("hive.a", "skip")
    await engine.tick(store, now=at("06:31"))
    (skipped,) = (await engine.tick(store, now=at("07:00"))).skipped
    assert skipped.verdict is Verdict.SKIPPED


async def test_one_that_came_late_before_the_decision_says_nothing(
    store: Store, set_settings: Do, says: Do, report: Do, add_flow: Do
) -> None:
    await set_settings("hive.a", "06:00")
    await set_settings("hive.b", "07:00")
    await says("hive.a", "fail")
    await add_flow("flow", BOTH, DAY)
    await engine.tick(store, everything=True, now=at("06:00"))
    await report("hive.a", at("06:30"))
    await engine.tick(store, now=at("06:30"))
    assert len((await engine.tick(store, now=at("07:00"))).launched) == 1


def known(
    name: str, on_deadline: OnDeadline, deadline_at: dt.datetime, state: State = State.WAITING
) -> Readiness:
    return Readiness(name, DAY, state, deadline_at, 0, 1, on_deadline=on_deadline)


def test_why_says_what_will_be_and_what_was() -> None:
    states = {
        "hive.a": known("hive.a", OnDeadline.SKIP, at("06:00")),
        "hive.b": known("hive.b", OnDeadline.FAIL, at("07:00")),
    }
    assert explain(BOTH, states, Moment(at("05:00"), DAY, "UTC")) == [
        "hive.a (0 of 1 logs, deadline 06:00 UTC, then the launch is skipped)",
        "hive.b (0 of 1 logs, deadline 07:00 UTC, then the flow fails)",
    ]
    missed = {name: each.at(at("07:00")) for name, each in states.items()}
    assert explain(BOTH, missed, Moment(at("07:00"), DAY, "UTC")) == [
        "failed: hive.a (0 of 1 logs, missed at 06:00 UTC), and says on_deadline = skip",
        "failed: hive.b (0 of 1 logs, missed at 07:00 UTC), and says on_deadline = fail",
    ]


async def test_a_worker_without_postgres_starts_no_flow_that_is_skipped_or_fails(
    redis: Redis, settings: Config, endpoints: Endpoints
) -> None:
    plans = [
        judge(A, {"hive.a": known("hive.a", on_deadline, at("06:00"))}, Moment(at("05:00"), DAY, "UTC"))
        for on_deadline in OnDeadline
    ]
    assert [each.verdict for each in plans] == [Verdict.MISSED, Verdict.SKIPPED, Verdict.FAILED]
    away = dataclasses.replace(endpoints, postgres={"host": "127.0.0.1", "port": free_port(), "user": "x"})
    for plan in plans:
        await snapshot.write(redis, [], [plan])
        due = await outbox.due(settings, away, [], lambda _launch, _since: None)
        assert bool(due.launches) is plan.starts


def test_a_sensor_fails_with_the_flow() -> None:
    states = {"hive.a": known("hive.a", OnDeadline.FAIL, at("06:00"), State.MISSED)}
    launch = judge(A, states, Moment(at("06:00"), DAY, "UTC"))
    sensor = ReadySensor(task_id="wait", condition="hive.a")
    with pytest.raises(AirflowFailException, match=r"hive\.a for 2026-11-20 is failed: hive\.a \(0 of 1 logs"):
        sensor.resume({}, {"launch": launch.to_json()})


@pytest.fixture
def airflow() -> Airflow:
    airflow = Airflow()
    airflow.flows = [FlowSeen(name, False, False, {"condition": A.to_json()}) for name in ("one", "two")]
    return airflow


@pytest.fixture
async def failed(store: Store, airflow: Airflow, says: Do, today: dt.date) -> Registrar:
    """Both flows have failed for today; the second one is paused."""
    airflow.flows[1] = dataclasses.replace(airflow.flows[1], paused=True)
    registrar = Registrar(airflow)
    await registrar.register(store)
    await says("hive.a", "fail")
    await store.connection.execute("update readiness.flow set first_date = $1", today)
    await store.run("expect", "hive", "a", today, await engine.clock(store) - dt.timedelta(minutes=1))
    assert today in [each.business_date for each in (await engine.tick(store, everything=True)).skipped]
    return registrar


async def test_the_registrar_gives_each_flow_one_failed_run(
    store: Store, airflow: Airflow, failed: Registrar, today: dt.date
) -> None:
    pair = ("one", today.isoformat())
    airflow.refuses = RuntimeError("database is locked")
    await failed.register(store)
    assert airflow.failed == []
    airflow.refuses = None
    await failed.register(store)
    assert airflow.failed == [], "not again within a minute"
    await store.connection.execute("update readiness.launch_run set repaired_at = now() - interval '2 minutes'")
    await failed.register(store)
    await failed.register(store)
    assert [each for each in airflow.failed if each == pair] == [pair]
    assert airflow.started == [], "it is no flow that missed its launch"
    launch = airflow.evidence[0]
    assert (launch.verdict, launch.outcomes) == (Verdict.FAILED, {"hive.a": Outcome.DEADLINE})
    assert await store.fetch("outbox", 5) == []


async def test_a_flow_that_was_paused_has_its_failed_run_when_it_is_not(
    store: Store, airflow: Airflow, failed: Registrar, today: dt.date
) -> None:
    await failed.register(store)
    assert ("two", today.isoformat()) not in airflow.failed
    airflow.flows[1] = dataclasses.replace(airflow.flows[1], paused=False)
    await failed.register(store)
    await failed.register(store)
    assert airflow.failed.count(("two", today.isoformat())) == 1
