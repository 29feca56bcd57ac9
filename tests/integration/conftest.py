"""A real Postgres and a real Redis, once per session; a database of its own for each test."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import inspect
import itertools
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from blockbuster import blockbuster_ctx
from redis.asyncio import Redis

from airflow_readiness import engine
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import Condition
from airflow_readiness.demo.servers import (
    Postgres,
    RedisServer,
    embedded_postgres,
    embedded_redis,
    free_port,
)
from airflow_readiness.signal.client import open_redis, open_server
from airflow_readiness.store.migrate import upgrade
from airflow_readiness.store.store import Store, open_store
from airflow_readiness_triggers.processor import Processor
from airflow_readiness_triggers.tasks import stop
from tests.integration.commands import Command, runner
from tests.integration.own_postgres import OwnPostgres, own_postgres_server, postgres_folder

_numbers = itertools.count(1)
HERE = Path(__file__).parent
#: Files and folders whose tests share what takes seconds to make: each is one process's; the first that fits.
TOGETHER = (
    "board/test_plans.py",
    "board",
    "feeds",
    "test_airflow_runs.py",
    "test_postgres_faults.py",
    "test_query_plans.py",
    "test_real_dbt.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First of all hooks: pytest-xdist reads the groups in its own."""
    for item in items:
        for name in TOGETHER:
            if item.path.is_relative_to(HERE / name):
                item.add_marker(pytest.mark.xdist_group(name))
                break


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_folder() as folder, embedded_postgres(folder) as server:
        asyncio.run(_hurry(server))
        yield server


async def _hurry(server: Postgres) -> None:
    # a database for each test: what is lost with the machine's power may be lost
    admin = await asyncpg.connect(**server.dsn("postgres"))
    try:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            await admin.execute(f"alter system set {setting} = off")
        await admin.execute("select pg_reload_conf()")
    finally:
        await admin.close()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with embedded_redis(tmp_path_factory.mktemp("redis"), free_port()) as server:
        yield server


@pytest.fixture(scope="session")
def schema(postgres: Postgres) -> str:
    """The name of a database with the schema, to be copied: that is faster than to make it."""
    name = "schema"

    async def make() -> None:
        async with database(postgres, name, drop=False) as dsn:
            connection = await asyncpg.connect(**dsn)
            await upgrade(connection)
            await connection.close()

    asyncio.run(make())
    return name


@contextlib.asynccontextmanager
async def database(
    postgres: Postgres, name: str, template: str = "template1", *, drop: bool = True
) -> AsyncIterator[dict[str, Any]]:
    """A database of this name."""
    admin = await asyncpg.connect(**postgres.dsn("postgres"))
    try:
        await admin.execute(f'create database "{name}" template "{template}"')
        yield dict(postgres.dsn(name))
        if drop:
            await admin.execute(f'drop database "{name}" with (force)')
    finally:
        await admin.close()


@pytest_asyncio.fixture
async def empty_dsn(postgres: Postgres) -> AsyncIterator[dict[str, Any]]:
    """A database without the schema."""
    async with database(postgres, f"test_{next(_numbers)}") as dsn:
        yield dsn


@pytest_asyncio.fixture
async def dsn(postgres: Postgres, schema: str) -> AsyncIterator[dict[str, Any]]:
    """A database with the schema."""
    async with database(postgres, f"test_{next(_numbers)}", schema) as dsn:
        yield dsn


@pytest_asyncio.fixture
async def store(dsn: dict[str, Any]) -> AsyncIterator[Store]:
    async with open_store(dsn) as opened:
        yield opened


@pytest_asyncio.fixture
async def endpoints(dsn: dict[str, Any], redis_server: RedisServer) -> AsyncIterator[Endpoints]:
    """Both servers, Redis empty."""
    if redis_server.process is None:
        redis_server.start()
    options = {"host": "127.0.0.1", "port": redis_server.port, "db": 0}
    async with open_redis(options) as client:
        await client.flushall()
    yield Endpoints(dsn, options)


@pytest_asyncio.fixture
async def redis(endpoints: Endpoints) -> AsyncIterator[Redis]:
    async with open_server(endpoints.redis) as client:
        yield client


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis for one test, which may do to it what it likes."""
    with embedded_redis(tmp_path / "own_redis", free_port()) as server:
        yield server


@pytest.fixture
def own_endpoints(dsn: dict[str, Any], own_redis: RedisServer) -> Endpoints:
    """The same, with that Redis."""
    return Endpoints(dsn, {"host": "127.0.0.1", "port": own_redis.port, "db": 0})


@pytest.fixture
def eventually() -> Callable[..., Awaitable[Any]]:
    """Ask a function, which may be asynchronous, until its answer is true; the answer."""

    async def wait(ask: Callable[[], Any], within: float = 10.0) -> Any:
        until = time.monotonic() + within
        while True:
            answer = ask()
            if inspect.isawaitable(answer):
                answer = await answer
            if answer:
                return answer
            assert time.monotonic() < until, f"not within {within:g} s"
            await asyncio.sleep(0.01)

    return wait


@pytest.fixture
def blocking_is_an_error(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A blocking call of ours on the event loop fails the test, also where the error is caught."""
    with (
        caplog.at_level(logging.INFO),
        blockbuster_ctx(
            ["airflow_readiness", "airflow_readiness_triggers"], excluded_modules=["airflow_readiness.demo"]
        ) as guard,
    ):
        for function in guard.functions.values():
            # ~/.pgpass
            function.can_block_in("asyncpg/connect_utils.py", {"_parse_connect_dsn_and_args"})
            # our own SQL, once per process
            function.can_block_in("airflow_readiness/store/sql.py", {"read", "migrations"})
        yield
    assert "Blocking call" not in caplog.text


@pytest_asyncio.fixture
async def nothing_left_behind(eventually: Callable[..., Awaitable[Any]]) -> AsyncIterator[None]:
    """No task outlives the test."""
    before = asyncio.all_tasks()
    yield
    await eventually(lambda: asyncio.all_tasks() <= {*before, asyncio.current_task()}, within=2)


@pytest.fixture
def settings() -> Config:
    """A deployment in whose time zone it is about noon, so that today's deadline is hours away."""
    ahead = 12 - dt.datetime.now(dt.timezone.utc).hour
    return Config(
        postgres_conn_id="readiness_postgres",
        redis_conn_id="readiness_redis",
        timezone=f"Etc/GMT{-ahead:+d}",
        default_deadline=dt.time(18),
        batch_size=100,
        fallback=3600,
        registrar_interval=0.2,
    )


@pytest.fixture
def today() -> dt.date:
    """The business date of that deployment."""
    now = dt.datetime.now(dt.timezone.utc)
    return (now + dt.timedelta(hours=12 - now.hour)).date()


@pytest.fixture
def deployed(endpoints: Endpoints, settings: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's configuration and connections name these servers."""
    postgres = {"host": endpoints.postgres["host"], "login": endpoints.postgres["user"]}
    postgres |= {"conn_type": "postgres", "schema": endpoints.postgres["database"]}
    redis = {"conn_type": "redis", "host": "127.0.0.1", "port": endpoints.redis["port"]}
    monkeypatch.setenv("AIRFLOW_CONN_READINESS_POSTGRES", json.dumps(postgres))
    monkeypatch.setenv("AIRFLOW_CONN_READINESS_REDIS", json.dumps(redis))
    monkeypatch.setenv("AIRFLOW__READINESS__TIMEZONE", settings.timezone)
    monkeypatch.setenv("AIRFLOW__READINESS__DEFAULT_DEADLINE", f"{settings.default_deadline:%H:%M}")


@pytest.fixture
def command(deployed: None, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run ``airflow readiness …``."""
    return runner(capsys)


@pytest_asyncio.fixture
async def processor(store: Store, endpoints: Endpoints, settings: Config) -> AsyncIterator[asyncio.Task[None]]:
    """A processor at work."""
    await engine.configure(store, settings)
    task = asyncio.create_task(Processor(settings, endpoints).serve())
    try:
        yield task
        assert not task.done(), task
    finally:
        await stop(task)


@pytest.fixture
def at_work() -> Callable[..., contextlib.AbstractAsyncContextManager[asyncio.Task[Any]]]:
    """Run something that never ends by itself; it must not have ended at the end."""

    @contextlib.asynccontextmanager
    async def work(serve: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(serve)
        try:
            yield task
            assert not task.done(), task
        finally:
            await stop(task)

    return work


@pytest.fixture
def set_settings(store: Store) -> Callable[..., Awaitable[None]]:
    """Settings of ``db.table``; times are ``HH:MM``."""

    async def set_(source: str, deadline: str, read_from: str | None = None, log_count: int = 1) -> None:
        begin = [int(part) for part in read_from.split(":")] if read_from else [None, None]
        end = [int(part) for part in deadline.split(":")]
        await store.connection.execute(
            "select readiness.set_log_settings($1, $2, $3, $4, $5, $6, $7)",
            *source.split("."),
            *end,
            *begin,
            log_count,
        )

    return set_


@pytest.fixture
def report(store: Store) -> Callable[..., Awaitable[None]]:
    """One log row of ``db.table``."""

    async def log_row(
        source: str, logged_at: dt.datetime, day: dt.date | None = None, load_id: str | None = None
    ) -> None:
        await store.connection.execute(
            "select readiness.report_log($1, $2, business_date => $3, logged_at => $4, load_id => $5)",
            *source.split("."),
            day,
            logged_at,
            load_id,
        )

    return log_row


@pytest.fixture
def advance(store: Store) -> Callable[[dt.datetime], Awaitable[dict[tuple[str, dt.date], str]]]:
    """``advance()`` at an instant; the state of each (source, date) that changed."""

    async def step(at: dt.datetime) -> dict[tuple[str, dt.date], str]:
        rows = await store.fetch("advance", at)
        return {(row["source"], row["business_date"]): row["state"] for row in rows}

    return step


@pytest.fixture
def add_flow(store: Store) -> Callable[..., Awaitable[None]]:
    """A flow as the registrar writes it, judged from ``first_date`` on."""

    async def add(
        dag_id: str,
        condition: Condition,
        first_date: dt.date,
        *,
        paused: bool = False,
        broken: bool = False,
    ) -> None:
        row = {
            "dag_id": dag_id,
            "condition": condition.text,
            "expression": condition.to_json(),
            "sources": list(condition.sources),
            "paused": paused,
            "broken": broken,
        }
        await store.run("upsert_flows", [row])
        await store.connection.execute(
            "update readiness.flow set first_date = $2 where dag_id = $1", dag_id, first_date
        )

    return add


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[OwnPostgres]:
    """A Postgres for the tests of one file, which may do to it what they like."""
    with postgres_folder() as folder, own_postgres_server(folder) as server:
        yield server


@pytest_asyncio.fixture
async def fragile(own_postgres: OwnPostgres, endpoints: Endpoints) -> AsyncIterator[Endpoints]:
    """A database with the schema on that Postgres, and the Redis of all."""
    name = f"test_{next(_numbers)}"
    dsn = dict(own_postgres.server.dsn(name))
    async with one_connection(dict(own_postgres.server.dsn("postgres"))) as admin:
        await admin.execute(f'create database "{name}"')
    async with one_connection(dsn) as connection:
        await upgrade(connection)
    yield Endpoints(dsn, endpoints.redis)
    async with one_connection(dict(own_postgres.server.dsn("postgres"))) as admin:
        await admin.execute(f'drop database "{name}" with (force)')


@contextlib.asynccontextmanager
async def one_connection(dsn: dict[str, Any]) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(**dsn)
    try:
        yield connection
    finally:
        await connection.close()
