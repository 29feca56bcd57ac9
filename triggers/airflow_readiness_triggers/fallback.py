"""What the hub reads from Postgres while Redis is unreachable."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_readiness.config import Endpoints
from airflow_readiness.core.dates import parse_date
from airflow_readiness.core.document import dump_readiness
from airflow_readiness.core.names import KEY_PREFIX, source_key
from airflow_readiness.store.store import open_store, readiness_of


async def read_from_postgres(endpoints: Endpoints, keys: Iterable[str]) -> dict[str, str | None]:
    """The documents of the sources among these keys, written from Postgres as Redis would hold them."""
    names = [key.removeprefix(KEY_PREFIX).rpartition(":") for key in keys]
    pairs = [(source, parse_date(day)) for source, _, day in names if "." in source]
    if not pairs:
        return {}
    async with open_store(endpoints.postgres) as store:
        states = [readiness_of(row) for row in await store.fetch_pairs("states", pairs)]
    return {source_key(s.source, s.business_date.isoformat()): dump_readiness(s) for s in states}
