"""``why`` of a flow with times of its own, and of a source that is not due or stops the launch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from airflow_readiness.core.condition import at_least, combine, of_source, timed
from airflow_readiness.store.store import Store
from tests.integration.commands import Command

AddFlow: TypeAlias = Callable[..., Awaitable[None]]
Eventually: TypeAlias = Callable[..., Awaitable[Any]]

SALES, STORES, RATES = (of_source(f"hive.{name}") for name in ("sales", "stores", "rates"))
SALES_AND_STORES = combine("all", [SALES, STORES])


async def state(store: Store, source: str) -> str | None:
    query = "select state from readiness.processed_log where source = $1 and not closed"
    found: str | None = await store.connection.fetchval(query, source)
    return found


@pytest.mark.usefixtures("processor")
async def test_so_many_of_so_many_and_an_own_time(
    command: Command, store: Store, today: dt.date, add_flow: AddFlow, eventually: Eventually
) -> None:
    some = timed(at_least(2, [SALES, STORES, RATES], grace=1800), not_before=dt.time(23, 58))
    await add_flow("some", some, today)
    await eventually(lambda: state(store, "hive.sales"))
    done = await command("why", "some", "--json")
    assert done.code == 1
    assert done.json["verdict"] == "waiting"
    first, *_ = done.json["conditions"]
    assert first.startswith("2 of 3: there is none, and not yet hive.rates (0 of 1 logs")


@pytest.mark.usefixtures("processor")
async def test_a_source_that_is_not_due_and_one_that_stops_the_launch(
    command: Command, store: Store, today: dt.date, add_flow: AddFlow, eventually: Eventually
) -> None:
    other_day = (today + dt.timedelta(days=40)).isoformat()
    await store.connection.execute(
        "select readiness.set_source_options('hive', 'sales', calendar => $1::text)", other_day
    )
    await store.connection.execute(
        "select readiness.set_source_options('hive', 'stores', on_deadline => 'skip')"
    )
    await add_flow("both", SALES_AND_STORES, today)

    async def not_due() -> bool:
        return await state(store, "hive.sales") == "not_due"

    await eventually(not_due)
    done = await command("why", "both", "--json")
    told = {each["source"]: each for each in done.json["sources"]}
    assert told["hive.sales"]["state"] == "not due"
    assert told["hive.sales"]["says"].startswith("is not due on this date: nobody waits for it")
    assert "(then the launch is skipped)" in told["hive.stores"]["takes"]
    status = await command("status", "--state", "not-due", "--json")
    assert [each["source"] for each in status.json["sources"]] == ["hive.sales"]
    assert status.code == 0
