"""A flow whose file is broken stays a flow, though Airflow forgets what it is scheduled on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_readiness import engine
from airflow_readiness.airflow_metadata import FlowSeen, Seen
from airflow_readiness.config import Config
from airflow_readiness.core.condition import of_source
from airflow_readiness.registrar import Registrar
from airflow_readiness.store.store import Store

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

EXTRA = {"condition": of_source("hive.sales").to_json()}


@dataclass
class Airflow:
    """What the registrar sees, as a test wants it."""

    flows: list[FlowSeen] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def look(self, since: dt.datetime, wanted: Iterable[tuple[str, str]]) -> Seen:
        return Seen(list(self.flows), [], {}, unreadable=list(self.unreadable))

    def start_run(self, dag_id: str, key: str, conf: dict[str, Any], rerun: int = 0) -> bool:
        raise AssertionError(dag_id)

    def fail_run(self, dag_id: str, key: str, conf: dict[str, Any]) -> bool:
        raise AssertionError(dag_id)

    def run_id(self, key: str, rerun: int = 0) -> str:
        raise AssertionError(key)

    def keep_pool(self, name: str) -> bool:
        return False

    def hasten(self, dag_id: str) -> int:
        raise AssertionError(dag_id)


async def flow(store: Store) -> tuple[bool, bool, dt.date]:
    row = await store.connection.fetchrow("select gone_at, broken, first_date from readiness.flow")
    return row["gone_at"] is not None, row["broken"], row["first_date"]


async def test_it_is_broken_and_not_gone_and_judged_from_its_first_date_on(
    store: Store, settings: Config, today: dt.date
) -> None:
    await engine.configure(store, settings)
    airflow = Airflow([FlowSeen("flow", False, False, EXTRA)])
    registrar = Registrar(airflow)
    await registrar.register(store)
    first = today - dt.timedelta(days=10)
    await store.connection.execute("update readiness.flow set first_date = $1", first)
    airflow.flows = [FlowSeen("flow", False, True, EXTRA)]
    airflow.unreadable = ["flow"]
    await registrar.register(store)
    assert await flow(store) == (False, True, first)
    airflow.flows = []
    await registrar.register(store)
    assert await flow(store) == (False, True, first)
    airflow.flows, airflow.unreadable = [FlowSeen("flow", False, False, EXTRA)], []
    await registrar.register(store)
    assert await flow(store) == (False, False, first)


async def test_it_is_gone_when_its_file_is(store: Store, settings: Config) -> None:
    await engine.configure(store, settings)
    airflow = Airflow([FlowSeen("flow", False, True, EXTRA)], ["flow"])
    registrar = Registrar(airflow)
    await registrar.register(store)
    airflow.flows = []
    await registrar.register(store)
    assert (await flow(store))[0] is False
    airflow.unreadable = []
    await registrar.register(store)
    assert (await flow(store))[0] is True
