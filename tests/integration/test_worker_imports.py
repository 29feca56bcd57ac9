"""What a worker of the collector imports: each one anew, in front of every launch."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from airflow_readiness.config import Endpoints
from airflow_readiness.store.store import Store

_PUBLISH = """
import asyncio, datetime as dt, json, sys
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.outbox import Due, due

settings = Config("", "", "UTC", dt.time(6), 100, 3600, 2)
endpoints = Endpoints(json.loads(sys.argv[1]), {"host": "127.0.0.1", "port": 1})
assert asyncio.run(due(settings, endpoints, [], lambda *_: None)) == Due()
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.usefixtures("store")
async def test_redis_is_left_alone_while_postgres_answers(endpoints: Endpoints) -> None:
    assert "redis" not in await _imported(endpoints)


async def test_redis_is_asked_where_postgres_does_not_answer(store: Store, endpoints: Endpoints) -> None:
    await store.connection.execute("drop schema readiness cascade")
    assert "redis" in await _imported(endpoints)


async def _imported(endpoints: Endpoints) -> list[str]:
    """The modules of a process that has looked for what is due."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PUBLISH, json.dumps(endpoints.postgres)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    names: list[str] = json.loads(out.splitlines()[-1])
    return names
