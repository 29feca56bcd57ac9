"""The registrar's stand-in: what it does while nobody in the triggerer is at work, and that it does no more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import of_source
from airflow_readiness.core.document import load_launch
from airflow_readiness.core.names import COLLECTOR, launch_key
from airflow_readiness.stand_in import ABSENT, StandIn
from airflow_readiness.store import store as store_module
from airflow_readiness.store.store import Store, open_store

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

SALES = of_source("hive.sales")
Flow = Callable[..., Awaitable[None]]


@pytest.fixture
def hastened() -> list[str]:
    return []


@pytest.fixture
def stand_in(settings: Config, endpoints: Endpoints, hastened: list[str]) -> StandIn:
    def hasten(dag_id: str) -> int:
        hastened.append(dag_id)
        return 1

    return StandIn(settings, endpoints, hasten)


async def seen_ago(store: Store, part: str, seconds: float) -> None:
    (clock,) = await store.fetch("clock")
    await store.run("beat", part, clock["now"] - dt.timedelta(seconds=seconds), {})


async def ready_flow(store: Store, add_flow: Flow, day: dt.date) -> None:
    """A flow whose only source has logged; nobody has taken a step since."""
    await add_flow("flow", SALES, day)
    await store.connection.execute("select readiness.report_log('hive', 'sales', $1)", day)


async def launches(store: Store) -> int:
    return int(await store.connection.fetchval("select count(*) from readiness.launch"))


async def test_nobody_at_work_the_step_is_taken_and_the_collector_hastened(
    store: Store, redis: Redis, stand_in: StandIn, hastened: list[str], add_flow: Flow, today: dt.date
) -> None:
    for part in ("processor", "collector"):
        await seen_ago(store, part, ABSENT + 1)
    await ready_flow(store, add_flow, today)
    await stand_in.look(store, 1)
    assert await launches(store) == 1
    assert load_launch(await redis.get(launch_key(SALES.text, today.isoformat())) or "").decided_at
    assert hastened == [COLLECTOR]


async def test_parts_that_were_never_seen_are_not_there_either(
    store: Store, stand_in: StandIn, hastened: list[str], add_flow: Flow, today: dt.date
) -> None:
    await ready_flow(store, add_flow, today)
    await stand_in.look(store, 1)
    assert (await launches(store), hastened) == (1, [COLLECTOR])


async def test_without_a_triggerer_nobody_is_waited_for(
    store: Store, stand_in: StandIn, hastened: list[str], add_flow: Flow, today: dt.date
) -> None:
    for part in ("processor", "collector"):
        await seen_ago(store, part, 1)
    await ready_flow(store, add_flow, today)
    await stand_in.look(store, 0)
    assert (await launches(store), hastened) == (1, [COLLECTOR])


async def test_while_both_are_at_work_nothing_is_done_for_them(
    store: Store, stand_in: StandIn, hastened: list[str], add_flow: Flow, today: dt.date
) -> None:
    for part in ("processor", "collector"):
        await seen_ago(store, part, ABSENT - 5)
    await ready_flow(store, add_flow, today)
    await stand_in.look(store, 1)
    assert (await launches(store), hastened) == (0, [])


async def test_while_nothing_is_due_no_worker_is_woken(
    store: Store, stand_in: StandIn, hastened: list[str], add_flow: Flow, today: dt.date
) -> None:
    await add_flow("flow", SALES, today)
    await stand_in.look(store, 1)
    assert (await launches(store), hastened) == (0, [])
    await add_flow("flow", SALES, today, paused=True)
    await store.connection.execute("select readiness.report_log('hive', 'sales', $1)", today)
    await StandIn(stand_in._settings, stand_in._endpoints, stand_in._hasten).look(store, 1)
    assert (await launches(store), hastened) == (1, []), "its launch is held"


async def test_a_step_is_taken_every_ten_seconds_not_at_every_look(
    store: Store, stand_in: StandIn, add_flow: Flow, today: dt.date
) -> None:
    await add_flow("flow", SALES, today)
    await stand_in.look(store, 1)
    await store.connection.execute("select readiness.report_log('hive', 'sales', $1)", today)
    await stand_in.look(store, 1)
    assert await launches(store) == 0
    stand_in._step_at = 0
    await stand_in.look(store, 1)
    assert await launches(store) == 1


async def test_it_says_once_when_it_begins_and_once_when_it_ends(
    store: Store, stand_in: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        await stand_in.look(store, 1)
    await seen_ago(store, "processor", 0)
    for _ in range(3):
        await stand_in.look(store, 1)
    assert caplog.text.count("its step is taken here") == 1
    assert caplog.text.count("the processor is back") == 1


async def test_a_step_that_somebody_else_is_taking_does_not_end_the_registrar(
    dsn: dict[str, Any], stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store_module, "QUERY_TIMEOUT", 0.3)
    async with open_store(dsn) as store, open_store(dsn) as other:
        async with other.connection.transaction():
            await other.run("serialise")
            await stand_in.look(store, 1)
        assert "somebody else is taking it" in caplog.text
        stand_in._step_at = 0
        await stand_in.look(store, 1)
    assert caplog.text.count("somebody else is taking it") == 1
