"""So many log rows that ringing for each would hold up those who write them: no bell, and none is missed."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import asyncpg
import pytest
import pytest_asyncio

from airflow_readiness import engine
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import Condition, of_source
from airflow_readiness.store.migrate import upgrade
from airflow_readiness.store.store import Store, open_store
from airflow_readiness_triggers import bell as bell_module
from airflow_readiness_triggers import hub as hub_module
from airflow_readiness_triggers import processor as processor_module
from airflow_readiness_triggers.bell import Bell
from airflow_readiness_triggers.processor import Processor

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind", "no_timer")

AtWork: TypeAlias = Callable[..., contextlib.AbstractAsyncContextManager[asyncio.Task[Any]]]
Eventually: TypeAlias = Callable[..., Awaitable[Any]]
AddFlow: TypeAlias = Callable[[str, Condition, dt.date], Awaitable[None]]


@pytest.fixture
def no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens in this test happens without waiting for a timer. Five bells are a storm."""
    monkeypatch.setattr(processor_module, "SAFETY", 3600)
    monkeypatch.setattr(processor_module, "DEAF", 3600)
    monkeypatch.setattr(hub_module, "REREAD", 3600)
    monkeypatch.setattr(bell_module, "STORM", 5)
    monkeypatch.setattr(bell_module, "WHILE", 3600)
    monkeypatch.setattr(bell_module, "LASTS", 0.3)


class Site:
    """A processor at work, and what the tests do beside it."""

    def __init__(self, store: Store, endpoints: Endpoints, today: dt.date, eventually: Eventually) -> None:
        self.store = store
        self.bells: list[str] = []
        self.today = today
        self._dsn = endpoints.postgres
        self._eventually = eventually

    @contextlib.asynccontextmanager
    async def writer(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(**self._dsn)
        try:
            yield connection
        finally:
            await connection.close()

    async def log(self, writer: asyncpg.Connection, table: str) -> None:
        await writer.execute("select readiness.report_log('hive', $1, $2)", table, self.today)

    async def in_storm(self) -> bool:
        return bool(await self.store.connection.fetchval("select storm from readiness.deployment"))

    async def make_storm(self) -> None:
        """Ring until it is one."""
        for number in range(200):
            await self.log(self.store.connection, f"noise{number}")
            if await self.in_storm():
                return
        raise AssertionError("no storm")

    async def calm(self) -> bool:
        """Whether the processor relies on the bell."""
        held = await self.store.connection.fetchval(
            "select count(*) from pg_locks where locktype = 'advisory' and classid = 7303 and objid = 3 "
            "and objsubid = 2 and mode = 'ExclusiveLock' and granted "
            "and database = (select oid from pg_database where datname = current_database())"
        )
        return held == 1 and not await self.in_storm()

    async def ready(self, *tables: str, within: float = 3) -> None:
        async def all_ready() -> bool:
            return bool(
                await self.store.connection.fetchval(
                    "select count(*) = cardinality($1::text[]) from readiness.processed_log "
                    "where source_table = any ($1) and business_date = $2 and state = 'ready'",
                    list(tables),
                    self.today,
                )
            )

        await self._eventually(all_ready, within)


@pytest_asyncio.fixture
async def site(
    store: Store, settings: Config, endpoints: Endpoints, today: dt.date, eventually: Eventually
) -> AsyncIterator[Site]:
    """With a hundred sources that are judged every day."""
    await engine.configure(store, settings)
    await store.connection.execute(
        "select readiness.set_log_settings('hive', 't' || n, 23, 59, null, null, 1) "
        "from generate_series(0, 99) n"
    )
    async with open_store(endpoints.postgres) as ears:
        made = Site(store, endpoints, today, eventually)
        await ears.ring_on(made.bells.append)
        yield made


@pytest.fixture
def serve(settings: Config, endpoints: Endpoints, at_work: AtWork) -> Callable[[], Any]:
    return lambda: at_work(Processor(settings, endpoints).serve())


async def test_in_a_storm_nobody_rings_and_all_is_seen(
    site: Site, serve: Callable[[], Any], eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_module, "LASTS", 3600)
    tables = [f"t{number}" for number in range(100)]

    async def write(part: list[str]) -> None:
        async with site.writer() as writer:
            for table in part:
                await site.log(writer, table)

    async with serve():
        await eventually(site.calm)
        await site.make_storm()
        # a bell that was rung before it began is on its way
        await eventually(lambda: len(site.bells) >= bell_module.STORM)
        await asyncio.sleep(0.1)
        site.bells.clear()
        await asyncio.gather(*(write(tables[start::10]) for start in range(10)))
        await site.ready(*tables)
        assert site.bells == []


async def test_after_the_storm_each_rings(site: Site, serve: Callable[[], Any], eventually: Eventually) -> None:
    async with serve():
        await eventually(site.calm)
        await site.make_storm()
        await eventually(site.calm)
        await asyncio.sleep(0.1)
        site.bells.clear()
        await site.log(site.store.connection, "t1")
        await site.ready("t1")
        assert site.bells == ["fm_log"]


async def test_who_commits_after_the_storm_is_seen(
    site: Site, serve: Callable[[], Any], eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    bells: list[Bell] = []

    def make() -> Bell:
        bells.append(Bell())
        return bells[-1]

    monkeypatch.setattr(processor_module, "Bell", make)
    async with serve(), site.writer() as writer:
        await eventually(site.calm)
        await site.make_storm()
        site.bells.clear()
        async with writer.transaction():
            await site.log(writer, "t1")
            # it lasts until nobody is left who has not rung: time and again the processor looks for that
            await eventually(lambda: bells[-1].pause == bell_module.LONGEST)
            assert await site.in_storm()
            async with site.writer() as other:
                await site.log(other, "t2")
            await site.ready("t2")
        await site.ready("t1")
        assert "fm_log" not in site.bells
        await eventually(site.calm)


async def test_who_began_in_the_storm_and_logs_after_it_rings(
    site: Site, serve: Callable[[], Any], eventually: Eventually
) -> None:
    async with serve(), site.writer() as writer:
        await eventually(site.calm)
        await site.make_storm()
        async with writer.transaction(isolation="repeatable_read"):
            assert await writer.fetchval("select storm from readiness.deployment")
            await eventually(site.calm)
            site.bells.clear()
            # by what it sees, there is a storm
            await site.log(writer, "t1")
        await site.ready("t1")
        assert site.bells == ["fm_log"]


async def test_a_flow_that_comes_in_a_storm_is_heard_of(
    site: Site, serve: Callable[[], Any], eventually: Eventually, add_flow: AddFlow
) -> None:
    async with serve(), site.writer() as writer:
        await eventually(site.calm)
        await site.log(writer, "t1")
        await site.ready("t1")
        await eventually(site.calm)
        await site.make_storm()
        await add_flow("flow", of_source("hive.t1"), site.today)
        await eventually(lambda: site.store.fetch("snapshot_launches"), 3)


async def test_a_processor_that_dies_in_a_storm_is_followed_by_one_that_is_rung(
    site: Site, serve: Callable[[], Any], eventually: Eventually
) -> None:
    async with serve():
        await eventually(site.calm)
        await site.make_storm()
    assert await site.in_storm()
    await site.log(site.store.connection, "t1")
    async with serve():
        await site.ready("t1")
        await eventually(site.calm)
        await site.log(site.store.connection, "t2")
        await site.ready("t2")


async def test_a_second_processor_that_does_not_get_the_bell_sees_all_too(
    site: Site, serve: Callable[[], Any], eventually: Eventually
) -> None:
    async with serve():
        await eventually(site.calm)
        async with serve():
            await site.log(site.store.connection, "t1")
            await site.ready("t1")
            await site.make_storm()
            await site.log(site.store.connection, "t2")
            await site.ready("t2")
            await eventually(site.calm)
    assert not await site.calm()


async def test_whoever_writes_whatever_he_does_nothing_is_missed(
    site: Site, serve: Callable[[], Any], eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_module, "LASTS", 0.02)
    monkeypatch.setattr(bell_module, "PAUSE", 0.01)
    monkeypatch.setattr(bell_module, "LONGEST", 0.01)
    chance = random.Random(7)
    kept: list[str] = []

    async def write(part: list[str]) -> None:
        async with site.writer() as writer:
            for table in part:
                transaction = writer.transaction()
                await transaction.start()
                await site.log(writer, table)
                await asyncio.sleep(chance.choice([0, 0, 0.001, 0.01, 0.1]))
                if chance.random() < 0.3:
                    await transaction.rollback()
                else:
                    await transaction.commit()
                    kept.append(table)

    async with serve():
        for turn in range(4):
            tables = [f"t{number}" for number in range(turn * 25, turn * 25 + 25)]
            await asyncio.gather(*(write(tables[start::8]) for start in range(8)))
            await site.ready(*kept)


async def test_who_migrates_or_releases_does_not_wait_for_who_relies_on_the_bell(
    store: Store, dsn: dict[str, Any]
) -> None:
    (bell,) = await store.fetch("take_bell")
    assert bell["mine"]
    async with open_store(dsn) as other:
        assert await asyncio.wait_for(upgrade(other.connection), 10) == []
        async with other.connection.transaction():
            await asyncio.wait_for(other.run("serialise_settings"), 10)
