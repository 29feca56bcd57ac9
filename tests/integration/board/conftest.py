"""Airflow's API server with the board in it, and our Postgres, new for each test."""

from __future__ import annotations

import asyncio
import datetime as dt
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from starlette.routing import Mount

from airflow_readiness.config import Config
from airflow_readiness.demo.servers import Postgres
from airflow_readiness.store.store import Store
from airflow_readiness.ui.board import Board
from tests.integration.board.airflow_app import (
    application,
    environment,
    metadata,
    options,
    read_dags,
    token,
)
from tests.integration.board.client import Client
from tests.integration.board.world import World

DATABASE = "board_airflow"


@pytest.fixture(scope="package")
def airflow(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """The app of Airflow; three flows and one other DAG are in its metadata."""
    asyncio.run(_admin(postgres, f'create database "{DATABASE}"'))
    folder = tmp_path_factory.mktemp("board")
    with environment(options(folder)), metadata(postgres, DATABASE), application() as app:
        read_dags(folder)
        yield app
    asyncio.run(_admin(postgres, f'drop database "{DATABASE}" with (force)'))


async def _admin(server: Postgres, command: str) -> None:
    connection = await asyncpg.connect(**server.dsn("postgres"))
    try:
        await connection.execute(command)
    finally:
        await connection.close()


@pytest.fixture
def mounted(airflow: FastAPI) -> FastAPI:
    """Our app, as Airflow has mounted it."""
    found = [route.app for route in airflow.routes if isinstance(route, Mount) and route.path == "/readiness"]
    (app,) = found
    assert isinstance(app, FastAPI)
    return app


@pytest_asyncio.fixture
async def board(mounted: FastAPI) -> AsyncIterator[Board]:
    """What our app owns, new for this test's event loop."""
    board = mounted.state.board = Board()
    yield board
    await board.close()


@pytest_asyncio.fixture
async def metadata_db(airflow: FastAPI, postgres: Postgres) -> AsyncIterator[asyncpg.Connection]:
    """Airflow's metadata; runs, events that wait, and the audit log are of this test alone."""
    connection = await asyncpg.connect(**postgres.dsn(DATABASE))
    try:
        await connection.execute(
            "delete from task_instance; delete from dag_run; delete from log; "
            "delete from asset_partition_dag_run; delete from job; "
            "update dag set is_paused = false, is_stale = false"
        )
        yield connection
    finally:
        await connection.close()


@pytest_asyncio.fixture
async def as_user(
    airflow: FastAPI, board: Board, deployed: None, metadata_db: asyncpg.Connection
) -> AsyncIterator[Callable[[str | None], Client]]:
    """A browser in which somebody has logged in; none: a stranger's."""
    transport = httpx.ASGITransport(app=airflow)
    with warnings.catch_warnings():
        # what Airflow's own routes warn about
        warnings.filterwarnings("ignore", module="airflow")
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as browser:

            def user(name: str | None) -> Client:
                return Client(browser, {"_token": token(name)} if name else {})

            yield user


@pytest.fixture
def anna(as_user: Callable[[str], Client]) -> Client:
    """An admin's."""
    return as_user("anna")


@pytest.fixture
def vera(as_user: Callable[[str], Client]) -> Client:
    """A viewer's."""
    return as_user("vera")


@pytest.fixture
def uma(as_user: Callable[[str], Client]) -> Client:
    """A user's: may change runs, and no asset."""
    return as_user("uma")


@pytest.fixture
def nora(as_user: Callable[[str], Client]) -> Client:
    """A viewer's, who may read neither ``secret_flow`` nor assets."""
    return as_user("nora")


@pytest.fixture
def stranger(as_user: Callable[[Any], Client]) -> Client:
    """Nobody's."""
    return as_user(None)


@pytest_asyncio.fixture
async def world(store: Store, settings: Config, today: dt.date) -> World:
    """Our side, in which everybody is at work and nothing has come."""
    world = World(store, settings, today)
    await world.begin()
    return world
