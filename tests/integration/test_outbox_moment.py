"""The moment for which a worker looks for launches, before the sources have their turn or it defers."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from airflow_readiness import engine, outbox
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import of_source
from airflow_readiness.outbox import Due
from airflow_readiness.store.store import Store
from airflow_readiness_triggers.tasks import stop

pytestmark = pytest.mark.usefixtures("nothing_left_behind")

A, B = of_source("hive.a"), of_source("hive.b")
Do = Callable[..., Awaitable[None]]
Look = Callable[[float], Coroutine[Any, Any, Due]]


@pytest.fixture
def look(settings: Config, endpoints: Endpoints) -> Look:
    async def due(moment: float) -> Due:
        return await outbox.due_in_postgres(settings, endpoints, [], lambda *_: None, moment=moment)

    return due


async def ready(store: Store, report: Do, day: dt.date, source: str) -> None:
    await store.run("expect", *source.split("."), day, await engine.clock(store) + dt.timedelta(hours=3))
    await report(source, await engine.clock(store), day)
    await engine.tick(store, everything=True)


async def test_a_launch_that_becomes_due_within_the_moment_is_found_at_once(
    store: Store, add_flow: Do, report: Do, look: Look, today: dt.date
) -> None:
    await add_flow("flow", A, today)
    looking = asyncio.create_task(look(30))
    await asyncio.sleep(0)
    assert not looking.done()
    await ready(store, report, today, "hive.a")
    done, _ = await asyncio.wait({looking}, timeout=10)
    assert done, "it waits for the whole moment although a launch is due"
    assert [each.condition for each in looking.result().launches] == [A]


async def test_a_launch_goes_before_sources_that_have_settled(
    store: Store, add_flow: Do, report: Do, look: Look, today: dt.date
) -> None:
    await add_flow("paused", B, today, paused=True)
    await add_flow("flow", A, today)
    await ready(store, report, today, "hive.b")
    looking = asyncio.create_task(look(30))
    await ready(store, report, today, "hive.a")
    done, _ = await asyncio.wait({looking}, timeout=10)
    assert done
    due = looking.result()
    assert ([each.condition for each in due.launches], due.lineage) == ([A], [])


async def test_after_a_moment_without_a_launch_the_sources_have_their_turn(
    store: Store, add_flow: Do, report: Do, look: Look, today: dt.date
) -> None:
    await add_flow("paused", B, today, paused=True)
    await ready(store, report, today, "hive.b")
    due = await look(0.3)
    assert (due.launches, [each.source for each in due.lineage]) == ([], ["hive.b"])


async def test_it_is_a_sign_of_life(store: Store, look: Look) -> None:
    await store.run("beat", "collector", await engine.clock(store) - dt.timedelta(hours=1), {"redis": True})
    await look(0)
    (row,) = await store.fetch("heartbeats")
    assert row["age"] < 60
    assert row["detail"] == {"redis": True, "publishing": True}


async def test_cancelled_it_closes_its_connection(
    store: Store, look: Look, eventually: Callable[..., Awaitable[None]]
) -> None:
    query = (
        "select count(*) from pg_stat_activity where application_name = 'airflow-readiness' "
        "and datname = current_database()"
    )

    async def connections(wanted: int) -> bool:
        return bool(await store.connection.fetchval(query) == wanted)

    looking = asyncio.create_task(look(60))
    await eventually(lambda: connections(2))
    await stop(looking)
    await eventually(lambda: connections(1))
