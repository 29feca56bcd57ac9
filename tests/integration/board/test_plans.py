"""However much history there is: each screen is asked by index, on both sides, and its answer stays small."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from fastapi import FastAPI

from airflow_readiness.demo.servers import Postgres
from airflow_readiness.store.store import Store, open_store
from airflow_readiness.ui import airflow_side
from airflow_readiness.ui.pool import QUERIES
from tests.board_history import EACH, our_side, their_side
from tests.integration.board.airflow_app import metadata
from tests.integration.board.client import Client
from tests.integration.scans import scans_of

pytestmark = pytest.mark.timeout(300)

SOURCES, FLOWS, DAYS, LOGS = 1000, 1000, 400, 1
DAY, ITS_SOURCES = "the date", "the sources of flow_1"
#: Each statement, its arguments, the indexes without which it would read a whole table, and how many entries
#: of indexes it looks at, at the most. There are 400 000 in each table.
SCREENS: list[tuple[str, list[Any], list[str], int]] = [
    ("board_date", [DAY], ["processed_log_day", "launch_date", "launch_run_date", "launch_published"], 20_000),
    (
        "board_flow",
        ["flow_1", DAY, ITS_SOURCES, DAY],
        ["launch_run_pkey", "launch_pkey", "fm_log_dated"],
        5_000,
    ),
    ("board_source", ["bench", "s3", DAY], ["processed_log_pkey", "fm_log_dated", "fm_log_undated"], 1_000),
    ("board_launches", ["bench.s3", DAY], ["launch_pkey"], 3_000),
    ("board_health", [], ["launch_published"], 1),
]


@pytest.fixture(scope="module")
def aged(airflow: FastAPI, postgres: Postgres) -> Iterator[dict[str, Any]]:
    """Both sides, after more than a year; what our side needs to connect."""
    ours, theirs = postgres.dsn("board_aged"), postgres.dsn("board_aged_airflow")

    async def admin(command: str) -> None:
        connection = await asyncpg.connect(**postgres.dsn("postgres"))
        await connection.execute(command)
        await connection.close()

    async def live() -> None:
        await our_side(dict(ours), SOURCES, FLOWS, DAYS, LOGS)
        connection = await asyncpg.connect(**theirs)
        today = await connection.fetchval("select current_date")
        await their_side(connection, today, SOURCES, FLOWS, DAYS)
        await connection.close()

    for name in ("board_aged", "board_aged_airflow"):
        asyncio.run(admin(f"create database {name}"))
    with metadata(postgres, "board_aged_airflow"):
        asyncio.run(live())
        yield dict(ours)
    for name in ("board_aged", "board_aged_airflow"):
        asyncio.run(admin(f"drop database {name} with (force)"))


@pytest_asyncio.fixture
async def undone(aged: dict[str, Any]) -> AsyncIterator[Store]:
    """Our side, in a transaction that leaves nothing behind."""
    async with open_store(aged) as store:
        transaction = store.connection.transaction()
        await transaction.start()
        yield store
        await transaction.rollback()


async def given(store: Store, arguments: list[Any]) -> list[Any]:
    day = await store.connection.fetchval("select current_date")
    known = {DAY: day, ITS_SOURCES: [f"bench.s{number}" for number in range(2, 2 + EACH)]}
    return [known.get(each, each) for each in arguments]


@pytest.mark.parametrize(("name", "arguments", "indexes", "most"), SCREENS, ids=[each[0] for each in SCREENS])
async def test_our_side_reads_no_table_whole_and_uses_these_indexes(
    undone: Store, name: str, arguments: list[Any], indexes: list[str], most: int
) -> None:
    done = await scans_of(
        undone, undone.connection.fetch(QUERIES[name], *await given(undone, arguments), timeout=60)
    )
    assert not any(done.whole.values()), done
    assert set(indexes) <= set(done.by_index), done
    assert done.entries <= most, done


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """What Airflow's engine is asked meanwhile."""
    from airflow import settings
    from sqlalchemy import event

    seen: list[tuple[str, Any]] = []

    def see(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(settings.engine, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        event.remove(settings.engine, "before_cursor_execute", see)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)


@pytest.mark.parametrize("screen", ["on_date", "one_flow", "flows_of"])
async def test_their_side_is_one_query_and_reads_no_run_that_is_old(
    aged: dict[str, Any], undone: Store, screen: str
) -> None:
    from airflow import settings

    day = await undone.connection.fetchval("select current_date")
    looks: dict[str, Callable[[], airflow_side.Theirs]] = {
        "on_date": lambda: airflow_side.on_date(day),
        "one_flow": lambda: airflow_side.one_flow("flow_1", day),
        "flows_of": lambda: airflow_side.flows_of("bench.s3"),
    }
    with statements() as seen:
        found = looks[screen]()
    flows = {"on_date": FLOWS, "one_flow": 1, "flows_of": len(found.flows)}[screen]
    assert len(found.flows) == flows > 0
    ((statement, parameters),) = seen
    assert settings.engine
    with settings.engine.connect() as connection:
        cursor = connection.connection.cursor()
        cursor.execute(f"explain (analyze, format json) {statement}", parameters)
        ((explained,),) = cursor.fetchall()
        cursor.close()
    runs = [node for node in nodes(explained[0]["Plan"]) if node.get("Relation Name") == "dag_run"]
    assert runs
    assert not [node for node in runs if node["Node Type"] == "Seq Scan"], json.dumps(runs, indent=1)
    # eleven days of 400 there are, or all of a flow
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in runs) <= 11 * FLOWS


async def test_each_answer_is_below_500_kilobytes(
    aged: dict[str, Any], undone: Store, anna: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = {"conn_type": "postgres", "host": aged["host"], "login": aged["user"], "schema": aged["database"]}
    monkeypatch.setenv("AIRFLOW_CONN_READINESS_POSTGRES", json.dumps(address))
    monkeypatch.setenv("AIRFLOW__READINESS__TIMEZONE", "UTC")
    for path in ("today", "flows/flow_1", "sources/bench.s3", "health"):
        answer = await anna.ask("GET", f"api/{path}")
        assert answer.status_code == 200, answer.text
        assert answer.json().get("stale") is None
        assert 0 < len(answer.content) <= 500_000, (path, len(answer.content))
    page = await anna.get("today")
    assert (len(page["flows"]), page["hidden"]) == (500, 500)
    assert (len(page["sources"]), page["hidden_sources"]) == (500, 500)
