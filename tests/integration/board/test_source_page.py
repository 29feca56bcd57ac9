"""The page of a source: settings and who set them, arrivals, logs, and the flows that wait for it."""

from __future__ import annotations

import datetime as dt

import asyncpg
import pytest

from airflow_readiness.ui.board import Board
from tests.integration.board.client import Client
from tests.integration.board.world import World

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")


async def test_its_settings_and_their_history(world: World, anna: Client) -> None:
    await world.settings_of("hive.sales", "17:30")
    await world.settings_of("hive.sales", "18:15", count=3)
    await world.step()
    page = await anna.get("sources/hive.sales")
    assert page["settings"] | {"what": "settings"} == page["history"][0]
    assert page["settings"]["deadline"] == "18:15"
    assert page["settings"]["log_count"] == 3
    assert page["settings"]["read_from"] is None
    assert page["settings"]["set_by"]
    old = page["history"][1]
    assert (old["deadline"], old["log_count"]) == ("17:30", 1)
    assert old["valid_to"] == page["settings"]["valid_from"]
    assert (page["today"]["needed"], page["today"]["state"]) == (3, "waiting")


async def test_without_settings(world: World, anna: Client) -> None:
    page = await anna.get("sources/hive.sales")
    assert (page["settings"], page["history"]) == (None, [])
    assert page["today"]["state"] == "not_configured"


async def test_its_logs_and_arrivals(world: World, anna: Client) -> None:
    await world.usually("hive.sales", "05:40")
    for ago in range(25):
        await world.log("hive.sales", world.today - dt.timedelta(days=ago))
    await world.step()
    page = await anna.get("sources/hive.sales")
    assert len(page["last_logs"]) == 20
    assert page["last_logs"][-1]["business_date"] is not None
    dates = [arrival["date"] for arrival in page["arrivals"]]
    assert dates == sorted(dates)
    assert f"{world.today - dt.timedelta(days=7)}" in dates
    assert page["arrivals"][-1]["date"] == f"{world.today}"
    assert page["arrivals"][-1]["state"] == "ready"
    assert page["arrivals"][0]["ready_at"] < page["arrivals"][0]["deadline_at"]


async def test_what_retention_has_left_is_shown(world: World, anna: Client) -> None:
    day = world.today - dt.timedelta(days=60)
    await world.store.connection.execute(
        "insert into readiness.arrival (source_database, source_table, business_date, state, ready_at, "
        "deadline_at, log_count, by_hand) values ('hive', 'sales', $1, 'ready', now(), now(), 1, false)",
        day,
    )
    page = await anna.get("sources/hive.sales")
    assert [arrival["date"] for arrival in page["arrivals"]] == [f"{day}", f"{world.today}"]


async def test_the_flows_that_wait_for_it(
    world: World, anna: Client, nora: Client, metadata_db: asyncpg.Connection
) -> None:
    await metadata_db.execute("update dag set is_paused = true where dag_id = 'sales_report'")
    page = await anna.get("sources/hive.sales")
    assert [(flow["dag_id"], flow["paused"]) for flow in page["flows"]] == [
        ("sales_report", True),
        ("secret_flow", False),
    ]
    assert page["flows"][0]["condition"] == "hive.sales & hive.stores"
    assert page["flows"][0]["deadline_at"] == page["today"]["deadline_at"]
    page = await nora.get("sources/hive.sales")
    assert [flow["dag_id"] for flow in page["flows"]] == ["sales_report"]
    assert page["can_act"] is False


async def test_one_that_no_flow_waits_for(world: World, anna: Client, nora: Client) -> None:
    await world.settings_of("hive.lonely", "18:00")
    await world.step()
    assert (await anna.get("sources/hive.lonely"))["flows"] == []
    assert "hive.lonely" in str(await anna.get("today"))
    # only for who may read assets
    assert await nora.status("sources/hive.lonely") == 404
    assert "hive.lonely" not in str(await nora.get("today"))


async def test_one_that_is_unknown_or_not_to_be_seen_gives_the_same_answer(
    world: World, board: Board, anna: Client, nora: Client
) -> None:
    answers = [
        await client.ask("GET", f"api/sources/{name}")
        for client, name in (
            (anna, "hive.nothing"),
            (anna, "no_dot"),
            (anna, "a.b.c"),
            (anna, "hive.<script>"),
            (nora, "hive.secret"),
            (nora, "hive.nothing"),
        )
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
