"""The SQL of the feeds, by name; bytes, which psycopg takes as they are."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from airflow_readiness.store.sql import named

#: What a DBA applies in Greenplum.
GREENPLUM_SCHEMA: Final = "greenplum_schema.sql"


def read(name: str) -> str:
    """A file of this folder, as text."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _queries(server: str) -> dict[str, str]:
    return named(read(f"{server}.sql"))


def postgres(name: str, **parts: str) -> bytes:
    """A query for the Postgres that holds the schema ``readiness``."""
    return _filled(_queries("postgres")[name], parts)


def greenplum(name: str, **parts: str) -> bytes:
    """A query for Greenplum, as PostgreSQL 9.4 understands it."""
    return _filled(_queries("greenplum")[name], parts)


def _filled(text: str, parts: dict[str, str]) -> bytes:
    # names of tables and columns, and queries in queries: of this package, never of a user
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return text.encode()
