"""Connections of the feeds: Airflow's hooks, and what to do when they lead nowhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from airflow_readiness import config
from airflow_readiness.errors import NotConfigured, SchemaMissing
from airflow_readiness.feeds import sql

if TYPE_CHECKING:
    import psycopg
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

#: The tables that a feed needs on its side.
_OURS: Final = ("deployment", "greenplum_release", "ingest_state", "source_log")
_THEIRS: Final = ("log_setting", "processed_log", "source_log_data", "sync_state")


def hook_of(conn_id: str) -> DbApiHook:
    """The hook of an Airflow connection to any SQL database.

    :raises NotConfigured: if there is no such connection, or it is to something else
    """
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        hook = BaseHook.get_hook(conn_id)
    except AirflowNotFoundException as error:
        raise NotConfigured(
            f"there is no connection {conn_id!r}: "
            f"create it, for example by 'airflow connections add {conn_id} …'"
        ) from error
    except Exception as error:
        # no provider for its type: Airflow raises whatever it comes upon
        raise NotConfigured(
            f"the connection {conn_id!r} cannot be used ({error}): install the provider of its type"
        ) from error
    if not isinstance(hook, DbApiHook):
        raise NotConfigured(
            f"the connection {conn_id!r} is one for the {type(hook).__name__}: give one to an SQL database"
        )
    return hook


@contextlib.contextmanager
def ours(conn_id: str | None = None) -> Iterator[Connection]:
    """The Postgres that holds the schema ``readiness``, by default that of ``[readiness]``.

    :raises SchemaMissing: if it does not
    """
    with _psycopg(conn_id or config.load().postgres_conn_id) as connection:
        _check(connection, _OURS, "this Postgres", "run 'airflow readiness db upgrade'")
        yield connection


@contextlib.contextmanager
def theirs(conn_id: str) -> Iterator[Connection]:
    """Greenplum.

    :raises SchemaMissing: if the schema ``readiness`` is not there
    """
    with _psycopg(conn_id) as connection:
        _check(connection, _THEIRS, "this Greenplum", "apply what 'airflow readiness greenplum sql' prints")
        yield connection


@contextlib.contextmanager
def _psycopg(conn_id: str) -> Iterator[Connection]:
    import psycopg
    from psycopg.rows import tuple_row

    connection = hook_of(conn_id).get_conn()
    if not isinstance(connection, psycopg.Connection):
        raise NotConfigured(f"the connection {conn_id!r} is not to a Postgres, or its driver is not psycopg 3")
    with contextlib.closing(connection):
        # a transaction is one that is begun here
        connection.autocommit = True
        connection.row_factory = tuple_row
        connection.execute(sql.greenplum("prepare"))
        yield connection


def _check(connection: Connection, tables: tuple[str, ...], what: str, remedy: str) -> None:
    missing = connection.execute(sql.greenplum("missing"), {"tables": list(tables)}).fetchall()
    if missing:
        names = ", ".join(f"readiness.{name}" for (name,) in missing)
        raise SchemaMissing(
            f"{what} ({connection.info.host}, {connection.info.dbname}) lacks {names}: {remedy}"
        )


@contextlib.contextmanager
def alone(work: str, conn_id: str | None = None) -> Iterator[bool]:
    """Whether nobody else is at this work; until the end nobody else will be.

    The lock lives in a transaction of its own: it ends with it, also behind a pooler.
    """
    with ours(conn_id) as connection, connection.transaction():
        row = connection.execute(sql.postgres("alone"), {"work": work}).fetchone()
        yield bool(row and row[0])
