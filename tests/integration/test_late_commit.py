"""A transaction that commits long after its rows were written: they count, as what they are, and once."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from airflow_readiness import engine
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import Condition, of_source
from airflow_readiness.store.store import Store, open_store
from airflow_readiness_triggers.processor import Processor

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

AtWork: TypeAlias = Callable[..., contextlib.AbstractAsyncContextManager[asyncio.Task[Any]]]
Eventually: TypeAlias = Callable[..., Awaitable[Any]]
Do: TypeAlias = Callable[..., Awaitable[None]]
Insert: TypeAlias = Callable[[Store, str, dt.datetime], Awaitable[None]]

SALES = of_source("hive.sales")
DAY = dt.date(2026, 11, 20)


def at(clock: str) -> dt.datetime:
    return dt.datetime.combine(DAY, dt.time.fromisoformat(clock), dt.timezone.utc)


async def report(store: Store, load_id: str, logged_at: dt.datetime) -> None:
    await store.connection.execute(
        "select readiness.report_log('hive', 'sales', load_id => $1, logged_at => $2)", load_id, logged_at
    )


async def state(store: Store) -> tuple[Any, ...]:
    row = await store.connection.fetchrow(
        "select state, log_count, ready_at, missed_at from readiness.processed_log where business_date = $1",
        DAY,
    )
    return tuple(row)


async def launches(store: Store) -> list[dt.date]:
    rows = await store.connection.fetch("select business_date from readiness.launch")
    return [row["business_date"] for row in rows]


async def test_a_row_that_was_written_before_others_and_committed_after_them_counts(
    store: Store, dsn: dict[str, Any], set_settings: Do, add_flow: Callable[[str, Condition, dt.date], Any]
) -> None:
    await set_settings("hive.sales", "06:00", log_count=3)
    await add_flow("flow", SALES, DAY)
    async with open_store(dsn) as slow:
        long = slow.connection.transaction()
        await long.start()
        await report(slow, "first", at("01:00"))
        await report(store, "second", at("02:00"))
        await engine.tick(store, now=at("02:00"))
        await report(store, "third", at("03:00"))
        for minute in range(10):
            await engine.tick(store, now=at(f"03:{minute:02}"))
        assert await state(store) == ("waiting", 2, None, None)
        await long.commit()
    result = await engine.tick(store, now=at("04:00"))
    assert await state(store) == ("ready", 3, at("03:00"), None)
    assert [launch.business_date for launch in result.launched] == [DAY]


async def test_a_row_that_is_committed_after_the_deadline_is_late_and_launches_nothing_twice(
    store: Store, dsn: dict[str, Any], set_settings: Do, add_flow: Callable[[str, Condition, dt.date], Any]
) -> None:
    await set_settings("hive.sales", "06:00")
    await add_flow("flow", SALES, DAY)
    async with open_store(dsn) as slow:
        long = slow.connection.transaction()
        await long.start()
        await report(slow, "first", at("05:00"))
        await engine.tick(store, now=at("05:30"))
        assert len((await engine.tick(store, now=at("06:00"))).launched) == 1
        assert await state(store) == ("missed", 0, None, at("06:00"))
        await long.commit()
    result = await engine.tick(store, everything=True, now=at("06:30"))
    assert [known.state.value for known in result.changed] == ["late"]
    assert result.launched == []
    assert await state(store) == ("late", 1, at("05:00"), at("06:00"))
    assert await launches(store) == [DAY]


async def test_a_transaction_that_is_rolled_back_never_was(
    store: Store, dsn: dict[str, Any], set_settings: Do
) -> None:
    await set_settings("hive.sales", "06:00")
    async with open_store(dsn) as slow:
        long = slow.connection.transaction()
        await long.start()
        await report(slow, "first", at("01:00"))
        await engine.tick(store, now=at("02:00"))
        await long.rollback()
    await engine.tick(store, now=at("06:00"))
    assert await state(store) == ("missed", 0, None, at("06:00"))


@pytest.mark.usefixtures("nothing_left_behind")
async def test_the_processor_is_rung_by_the_commit_not_by_the_row(
    store: Store,
    settings: Config,
    endpoints: Endpoints,
    today: dt.date,
    at_work: AtWork,
    eventually: Eventually,
    add_flow: Callable[[str, Condition, dt.date], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow_readiness_triggers import processor as processor_module

    monkeypatch.setattr(processor_module, "SAFETY", 3600)
    await engine.configure(store, settings)
    await add_flow("flow", SALES, today)
    async with at_work(Processor(settings, endpoints).serve()), open_store(endpoints.postgres) as slow:
        async with slow.connection.transaction():
            await slow.connection.execute("select readiness.report_log('hive', 'sales', $1)", today)
            for number in range(5):
                # steps that others ring for, and that must not pass over the row for good
                await store.connection.execute(
                    "select readiness.report_log('hive', 'stores', load_id => $1)", str(number)
                )
                await asyncio.sleep(0.1)
            assert await launches(store) == []

        async def launched() -> bool:
            return await launches(store) == [today]

        await eventually(launched)
