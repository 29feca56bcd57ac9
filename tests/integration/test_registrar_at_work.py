"""The registrar at work: one of several looks, again and again, and nothing makes it raise."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from airflow_readiness import config
from airflow_readiness import registrar as registrar_module
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import combine, of_source
from airflow_readiness.demo.servers import free_port
from airflow_readiness.engine import clock
from airflow_readiness.outbox import registrar_looked
from airflow_readiness.registrar import Registrar
from airflow_readiness.store.store import Store, open_store
from tests.integration.airflow_seen import Airflow, event, seen, source_event

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

AtWork: TypeAlias = Callable[..., contextlib.AbstractAsyncContextManager[asyncio.Task[Any]]]
Eventually: TypeAlias = Callable[..., Awaitable[Any]]

SALES = of_source("hive.sales")
BOTH = combine("all", [SALES, of_source("hive.stores")])


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


@pytest.fixture
def registrar(airflow: Airflow) -> Registrar:
    return Registrar(airflow)


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
        rows = await store.connection.fetch("select condition, business_date from readiness.launch")
        assert [tuple(row) for row in rows] == [(BOTH.text, today)]
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


async def test_whoever_asks_for_a_look_does_not_wait_for_the_next(
    store: Store,
    airflow: Airflow,
    registrar: Registrar,
    settings: Config,
    endpoints: Endpoints,
    at_work: AtWork,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(config, "load", lambda: dataclasses.replace(settings, registrar_interval=3600))
    monkeypatch.setattr(config, "endpoints", lambda _settings: endpoints)
    async with at_work(registrar.serve()):
        await eventually(lambda: store.fetch("heartbeats"))
        for looks in range(2, 5):
            assert await registrar_looked(store, await clock(store))
            assert len(airflow.since) == looks


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
