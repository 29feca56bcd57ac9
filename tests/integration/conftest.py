"""A real Postgres and a real Redis, once per session; a database of its own for each test."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from airflow_readiness.config import Endpoints
from airflow_readiness.demo.servers import (
    Postgres,
    RedisServer,
    embedded_postgres,
    embedded_redis,
    free_port,
)
from airflow_readiness.signal.client import open_redis
from airflow_readiness.store.migrate import upgrade
from airflow_readiness.store.store import Store, open_store

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with embedded_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with embedded_redis(tmp_path_factory.mktemp("redis"), free_port()) as server:
        yield server


@pytest_asyncio.fixture
async def empty_dsn(postgres: Postgres) -> AsyncIterator[dict[str, Any]]:
    """A database without the schema."""
    name = f"test_{next(_numbers)}"
    admin = await asyncpg.connect(**postgres.dsn("postgres"))
    try:
        await admin.execute(f'create database "{name}"')
        yield dict(postgres.dsn(name))
        await admin.execute(f'drop database "{name}" with (force)')
    finally:
        await admin.close()


@pytest_asyncio.fixture
async def dsn(empty_dsn: dict[str, Any]) -> dict[str, Any]:
    """A database with the schema."""
    connection = await asyncpg.connect(**empty_dsn)
    try:
        await upgrade(connection)
    finally:
        await connection.close()
    return empty_dsn


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
    async with open_redis(endpoints.redis) as client:
        yield client
