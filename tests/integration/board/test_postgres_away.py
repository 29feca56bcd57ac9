"""Our Postgres stopped, frozen and started under the board, which goes on with what Airflow knows."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import asyncpg
import pytest
import pytest_asyncio

from airflow_readiness.config import Config, Endpoints
from airflow_readiness.store.store import open_store
from airflow_readiness.ui.board import Board
from airflow_readiness.ui.pool import ANSWER, CONNECT, Answer
from tests.integration.board.client import Client
from tests.integration.board.world import World
from tests.integration.own_postgres import OwnPostgres

pytestmark = [pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind"), pytest.mark.timeout(180)]

Eventually: TypeAlias = Callable[..., Awaitable[Any]]


@pytest_asyncio.fixture
async def away(
    own_postgres: OwnPostgres,
    fragile: Endpoints,
    settings: Config,
    today: dt.date,
    anna: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> dt.date:
    """Readiness is in a Postgres of its own, which a test may stop."""
    postgres = {"host": fragile.postgres["host"], "login": fragile.postgres["user"]}
    postgres |= {"conn_type": "postgres", "schema": fragile.postgres["database"]}
    monkeypatch.setenv("AIRFLOW_CONN_READINESS_POSTGRES", json.dumps(postgres))
    async with open_store(fragile.postgres) as store:
        world = World(store, settings, today)
        await world.begin()
        await world.log("hive.sales")
        await world.step()
    return today


def states(page: dict[str, Any]) -> dict[str, str]:
    return {flow["dag_id"]: flow["state"] for flow in page["flows"]}


async def test_stopped_before_anybody_looked(
    away: dt.date, own_postgres: OwnPostgres, anna: Client, metadata_db: asyncpg.Connection
) -> None:
    await metadata_db.execute(
        "insert into asset_partition_dag_run (target_dag_id, partition_key, created_at, updated_at) "
        "values ('rates_report', $1, now(), now())",
        f"{away}",
    )
    await metadata_db.execute(
        "insert into dag_run (dag_id, run_id, state, run_type, run_after, queued_at, partition_key, "
        "clear_number, log_template_id) "
        "values ('sales_report', 'run_1', 'running', 'asset_triggered', now(), now(), $1, 0, 1)",
        f"{away}",
    )
    with own_postgres.stopped():
        page = await anna.get("today")
        assert page["stale"]["since"] is not None
        assert "Postgres cannot be read" in page["stale"]["message"]
        # never as waiting
        assert states(page) == {"sales_report": "ready", "rates_report": "unknown", "secret_flow": "unknown"}
        flows = {flow["dag_id"]: flow for flow in page["flows"]}
        assert flows["rates_report"]["pending"] is True
        assert flows["rates_report"]["sentence"] == "Airflow has its event and makes the run."
        assert flows["sales_report"]["run"] == {"run_id": "run_1", "state": "running"}
        assert "in Postgres, which cannot be read" in flows["secret_flow"]["sentence"]
        assert flows["secret_flow"]["condition"] == "hive.sales & hive.secret"
        assert (page["sources"], page["health"]["status"]) == ([], "down")
        # each other screen too
        tab = await anna.get("flows/sales_report")
        assert tab["stale"]
        assert (tab["run"]["run_id"], tab["why"], tab["days"]) == ("run_1", [], [])
        source = await anna.get("sources/hive.sales")
        assert source["today"] is None
        assert [flow["dag_id"] for flow in source["flows"]] == ["sales_report", "secret_flow"]
        assert (await anna.get("health"))["pending_pairs"] == 1
        # who asks meanwhile does not wait
        began = time.monotonic()
        await asyncio.gather(*[anna.get("today") for _ in range(10)])
        assert time.monotonic() - began < CONNECT


async def test_stopped_under_the_open_page_and_started_again(
    away: dt.date, own_postgres: OwnPostgres, anna: Client, board: Board, eventually: Eventually
) -> None:
    before = await anna.get("today")
    assert (before["stale"], states(before)["sales_report"]) == (None, "not_configured")
    tab = await anna.get("flows/sales_report")
    with own_postgres.stopped("immediate"):
        page = await eventually(lambda: stale(anna))
        # what was read a moment ago still counts
        assert states(page) == states(before)
        assert len(page["sources"]) == len(before["sources"]) == 4
        assert page["stale"]["since"] <= page["now"]
        assert page["now"] >= before["now"]
        assert (await anna.get("flows/sales_report"))["why"][:1] == tab["why"][:1]
        # and not for long
        for asked, kept in list(board.ours._kept.items()):
            assert kept.row
            row = {**kept.row, "now": kept.row["now"] + dt.timedelta(seconds=80)}
            board.ours._kept[asked] = Answer(row, kept.read_at)
        page = await anna.get("today")
        assert states(page)["rates_report"] == "unknown"
        assert {each["name"]: each["state"] for each in page["sources"]}["hive.sales"] == "ready"
        assert {each["name"]: each["state"] for each in page["sources"]}["hive.rates"] == "unknown"
    page = await eventually(lambda: good(anna), within=30)
    assert len(page["sources"]) == 4


async def stale(client: Client) -> Any:
    page = await client.get("today")
    return page if page["stale"] else None


async def good(client: Client) -> Any:
    page = await client.get("today")
    return page if page["stale"] is None else None


async def test_frozen(away: dt.date, own_postgres: OwnPostgres, anna: Client, eventually: Eventually) -> None:
    assert (await anna.get("today"))["stale"] is None
    with own_postgres.frozen():
        began = time.monotonic()
        await eventually(lambda: stale(anna))
        assert time.monotonic() - began < 3 * ANSWER
    await eventually(lambda: good(anna), within=30)


async def test_a_change_is_refused_and_a_preview_not_guessed(
    away: dt.date, own_postgres: OwnPostgres, anna: Client
) -> None:
    assert (await anna.get(f"preview?action=skip&source=hive.rates&date={away}"))["starts"] == ["rates_report"]
    with own_postgres.stopped():
        for path in (f"sources/hive.rates/{away}/skip", f"flows/rates_report/{away}/rerun"):
            answer = await anna.do(path, reason="a test")
            assert answer.status_code == 503
            assert "nothing was changed" in answer.json()["detail"]
        assert await anna.status(f"preview?action=skip&source=hive.rates&date={away}") == 503


async def test_connections_are_few_and_closed(
    away: dt.date, fragile: Endpoints, anna: Client, board: Board, own_postgres: OwnPostgres
) -> None:
    async with open_store(fragile.postgres) as store:
        days = [away - dt.timedelta(days=ago) for ago in range(12)]
        pages = await asyncio.gather(*[anna.get(f"dates/{day}") for day in days])
        assert all(page["stale"] is None for page in pages)
        count = "select count(*) from pg_stat_activity where application_name = 'airflow-readiness board'"
        assert 1 <= await store.connection.fetchval(count) <= 4
        await board.close()
        for _ in range(200):
            if await store.connection.fetchval(count) == 0:
                break
            await asyncio.sleep(0.02)
        assert await store.connection.fetchval(count) == 0
