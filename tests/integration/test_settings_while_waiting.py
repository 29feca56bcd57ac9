"""Settings that change while a source is waited for: the processor has them at once, without a timer."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from airflow_readiness import engine
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import of_source
from airflow_readiness.store.store import Store
from airflow_readiness_triggers import hub as hub_module
from airflow_readiness_triggers import processor as processor_module
from airflow_readiness_triggers.processor import Processor

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

AtWork: TypeAlias = Callable[..., contextlib.AbstractAsyncContextManager[asyncio.Task[Any]]]
Do: TypeAlias = Callable[..., Awaitable[Any]]

PASSED = "select readiness.set_log_settings('hive', 'sales', 0, 1, null, null, 2)"
OPTION = "select readiness.set_source_options('hive', 'sales', {})"


@pytest.mark.parametrize(
    ("changes", "state", "decision"),
    [
        ([PASSED], "missed", "launched"),
        (["select readiness.set_log_settings('hive', 'sales', 23, 58, null, null, 1)"], "ready", "launched"),
        # the deployment's defaults want one log row
        (["select readiness.retire_source('hive', 'sales')"], "ready", "launched"),
        ([OPTION.format("calendar => '2020-01-01'")], "not_due", "launched"),
        ([OPTION.format("on_deadline => 'skip'"), PASSED], "missed", "skipped"),
        ([OPTION.format("on_deadline => 'fail'"), PASSED], "missed", "failed"),
    ],
)
async def test_a_change_takes_effect_at_once(
    store: Store,
    settings: Config,
    endpoints: Endpoints,
    today: dt.date,
    at_work: AtWork,
    eventually: Do,
    set_settings: Do,
    add_flow: Do,
    monkeypatch: pytest.MonkeyPatch,
    changes: list[str],
    state: str,
    decision: str,
) -> None:
    for module, timer in ((processor_module, "SAFETY"), (processor_module, "DEAF"), (hub_module, "REREAD")):
        monkeypatch.setattr(module, timer, 3600)
    await engine.configure(store, settings)
    await set_settings("hive.sales", "23:59", None, 2)
    await store.connection.execute("select readiness.report_log('hive', 'sales', $1)", today)
    await add_flow("flow", of_source("hive.sales"), today)

    async def known(wanted: str) -> bool:
        query = "select state from readiness.processed_log where source = 'hive.sales' and business_date = $1"
        return bool(await store.connection.fetchval(query, today) == wanted)

    async def decided() -> Any:
        return await store.connection.fetchval("select decision from readiness.launch")

    async with at_work(Processor(settings, endpoints).serve()):
        await eventually(lambda: known("waiting"))
        assert await decided() is None
        for change in changes:
            await store.connection.execute(change)
        await eventually(lambda: known(state))
        assert await eventually(decided) == decision
