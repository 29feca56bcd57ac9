"""An Airflow connection for each database of a feed, and a connection to look into it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import tuple_row

from airflow_readiness.demo.servers import Postgres, embedded_postgres
from airflow_readiness.feeds import sql
from tests.integration.feeds.old_postgres import HOW_TO_GET_IT, is_there, old_postgres
from tests.integration.own_postgres import postgres_folder

Database = psycopg.Connection[tuple[Any, ...]]
_numbers = itertools.count(1)


def airflow_connection(
    monkeypatch: pytest.MonkeyPatch, conn_id: str, dsn: dict[str, Any], **extra: Any
) -> None:
    """An Airflow connection of type Postgres in the environment."""
    fields = {"host": dsn["host"], "port": dsn.get("port"), "login": dsn["user"], "schema": dsn["dbname"]}
    value = json.dumps({"conn_type": "postgres", **fields, "extra": extra})
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", value)


def database(dsn: dict[str, Any]) -> Database:
    return psycopg.connect(**dsn, autocommit=True, row_factory=tuple_row)


@pytest.fixture
def ours(dsn: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The Postgres with the schema ``readiness``, which the feeds reach as Airflow does."""
    mine = {"host": dsn["host"], "user": dsn["user"], "dbname": dsn["database"]}
    airflow_connection(monkeypatch, "readiness_postgres", mine)
    with database(mine) as connection:
        yield connection


@pytest.fixture
def outside(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """An outside database, the connection ``outside``."""
    yield from _new_database({"host": postgres.host, "user": postgres.user}, "outside", monkeypatch)


@pytest.fixture(scope="session", params=["18", "9.3"])
def greenplum_server(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """A server of its own: as new as ours, or older than Greenplum 6."""
    if request.param == "9.3":
        if not is_there():
            pytest.skip(HOW_TO_GET_IT)
        with old_postgres() as server:
            yield server
    else:
        with postgres_folder() as folder, embedded_postgres(folder) as embedded:
            yield {"host": embedded.host, "user": embedded.user}


@pytest.fixture
def greenplum(greenplum_server: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database with Greenplum's schema, the connection ``readiness_greenplum``."""
    for connection in _new_database(greenplum_server, "readiness_greenplum", monkeypatch):
        connection.execute(sql.read(sql.GREENPLUM_SCHEMA).encode())
        yield connection


def _new_database(server: dict[str, Any], conn_id: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    name = f"feed_{next(_numbers)}"
    with database({**server, "dbname": "postgres"}) as admin:
        admin.execute(f'create database "{name}"'.encode())
        airflow_connection(monkeypatch, conn_id, {**server, "dbname": name})
        with database({**server, "dbname": name}) as connection:
            yield connection
        # a feed has closed what it opened
        admin.execute(f'drop database "{name}"'.encode())


@pytest.fixture
def rows(ours: Database) -> Callable[[str], list[tuple[Any, ...]]]:
    """The rows of a query on our Postgres."""
    return lambda query: ours.execute(query.encode()).fetchall()
