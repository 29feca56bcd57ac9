"""What is changed on the board: done as on the command line, kept in two audit logs, with the user's name."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import asyncpg
import pytest

from airflow_readiness import airflow_metadata
from airflow_readiness.ui.board import Board
from tests.integration.board.client import Client
from tests.integration.board.world import World

pytestmark = pytest.mark.usefixtures("nothing_left_behind")

MARKUP = "<img src=x onerror=alert(1)> & 'late' \"today\"; drop table readiness.audit; --"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """No processor takes its step here, and nobody waits for it."""
    monkeypatch.setattr("airflow_readiness.operating.by_hand.PATIENCE", 0)


async def audited(world: World) -> list[tuple[str, str, str, str | None, str | None]]:
    rows = await world.store.connection.fetch("select * from readiness.audit order by audit_id")
    return [(row["action"], row["done_by"], row["reason"], row["source"], row["dag_id"]) for row in rows]


async def logged(metadata_db: asyncpg.Connection) -> list[tuple[str, str, str | None, Mapping[str, Any]]]:
    rows = await metadata_db.fetch("select * from log where event like 'readiness%' order by id")
    return [(row["event"], row["owner"], row["dag_id"], json.loads(row["extra"])) for row in rows]


async def by_hand(world: World, source: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = await world.store.connection.fetchval(
        "select by_hand from readiness.processed_log where source = $1 and business_date = $2",
        source,
        world.today,
    )
    return found


async def test_mark_ready(world: World, anna: Client, metadata_db: asyncpg.Connection) -> None:
    answer = await anna.do(f"sources/hive.rates/{world.today}/mark-ready", reason="loaded by hand")
    assert answer.status_code == 200, answer.text
    assert "hive.rates counts as ready" in answer.json()["done"]
    said = await by_hand(world, "hive.rates")
    assert said
    assert (said["action"], said["by"], said["reason"]) == ("mark-ready", "anna", "loaded by hand")
    assert await audited(world) == [("mark-ready", "anna", "loaded by hand", "hive.rates", None)]
    ((event, owner, dag_id, extra),) = await logged(metadata_db)
    assert (event, owner, dag_id) == ("readiness_mark_ready", "anna", None)
    assert extra == {
        "name": "hive.rates",
        "date": f"{world.today}",
        "reason": "loaded by hand",
        "method": "POST",
    }
    await world.step()
    assert await world.store.connection.fetchval("select count(*) from readiness.launch") == 1


async def test_skip(world: World, anna: Client) -> None:
    answer = await anna.do(f"sources/hive.stores/{world.today}/skip", reason="not today")
    assert answer.status_code == 200, answer.text
    assert await audited(world) == [("skip", "anna", "not today", "hive.stores", None)]
    await world.step()
    page = await anna.get("today")
    (source,) = [each for each in page["sources"] if each["name"] == "hive.stores"]
    assert source["state"] == "skipped"


async def test_extend(world: World, anna: Client) -> None:
    answer = await anna.do(f"sources/hive.stores/{world.today}/extend", reason="a slow disk", until="23:15")
    assert answer.status_code == 200, answer.text
    assert await audited(world) == [("extend", "anna", "a slow disk", "hive.stores", None)]
    await world.step()
    page = await anna.get("sources/hive.stores")
    assert dt.datetime.fromisoformat(page["today"]["deadline_at"]).minute == 15


async def test_a_reason_with_markup_is_text(
    world: World, anna: Client, metadata_db: asyncpg.Connection
) -> None:
    await anna.do(f"sources/hive.rates/{world.today}/skip", reason=f"  {MARKUP}\n")
    assert [row[2] for row in await audited(world)] == [MARKUP]
    await world.step()
    answer = await anna.ask("GET", "api/flows/rates_report")
    assert answer.headers["content-type"] == "application/json"
    assert any(MARKUP in line for line in answer.json()["why"])
    assert (await logged(metadata_db))[0][3]["reason"].strip() == MARKUP


async def test_what_may_not_be_seen_is_not_told_by_what_was_done(
    world: World, anna: Client, board: Board, metadata_db: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.integration.board import airflow_app

    # she may change assets, and not read that flow
    monkeypatch.setattr(airflow_app, "NORA", "anna")
    monkeypatch.setattr(airflow_app.Hiding, "is_authorized_asset", lambda *_, **__: True)
    page = await anna.get(f"preview?action=extend&source=hive.sales&date={world.today}&until=23:15")
    assert "sales_report, 1 that you may not see" in page["text"]
    answer = await anna.do(f"sources/hive.sales/{world.today}/mark-ready", reason="loaded by hand")
    assert "sales_report" in answer.json()["done"]
    assert "secret" not in answer.text + json.dumps(page)


async def test_a_user_may_rerun_and_not_speak_for_sources(world: World, uma: Client) -> None:
    answer = await uma.do(f"sources/hive.rates/{world.today}/skip", reason="not today")
    assert answer.status_code == 403
    # allowed, and refused for what it is
    answer = await uma.do(f"flows/rates_report/{world.today}/rerun", reason="new data")
    assert (answer.status_code, "has no run" in answer.text) == (409, True)
    assert await audited(world) == []


async def test_rerun(world: World, uma: Client, metadata_db: asyncpg.Connection) -> None:
    await world.log("hive.rates")
    await world.step()
    day = f"{world.today}"
    assert airflow_metadata.start_run("rates_report", day, {})
    answer = await uma.do(f"flows/rates_report/{day}/rerun", reason="new data")
    assert answer.status_code == 200, answer.text
    assert answer.json()["done"].startswith(
        f"rates_report runs again for {day}: run manual__readiness__{day}__"
    )
    rows = await metadata_db.fetch("select * from dag_run order by id")
    assert [row["partition_key"] for row in rows] == [day, day]
    assert (rows[1]["triggering_user_name"], rows[1]["triggered_by"]) == ("uma", "UI")
    assert await audited(world) == [("rerun", "uma", "new data", None, "rates_report")]
    ((event, owner, dag_id, extra),) = await logged(metadata_db)
    # it shows on the tab "Audit Log" of the DAG
    assert (event, owner, dag_id) == ("readiness_rerun", "uma", "rates_report")
    assert extra["reason"] == "new data"


async def test_publish_starts_the_one_flow_that_missed_its_launch(
    world: World, uma: Client, metadata_db: asyncpg.Connection
) -> None:
    day = f"{world.today}"
    answer = await uma.do(f"flows/rates_report/{day}/publish", reason="it was paused")
    assert (answer.status_code, "is not launched" in answer.text) == (409, True)
    assert await audited(world) == []
    await world.log("hive.rates")
    await world.step()
    await world.store.connection.execute("update readiness.launch set published_at = now()")
    answer = await uma.do(f"flows/rates_report/{day}/publish", reason="it was paused")
    assert answer.status_code == 200, answer.text
    (row,) = await metadata_db.fetch("select * from dag_run")
    assert (row["dag_id"], row["partition_key"]) == ("rates_report", day)
    assert await audited(world) == [("publish", "uma", "it was paused", None, "rates_report")]
    # never twice
    answer = await uma.do(f"flows/rates_report/{day}/publish", reason="it was paused")
    assert (answer.status_code, "has a run" in answer.text) == (409, True)
    assert len(await metadata_db.fetch("select from dag_run")) == 1


async def test_a_preview_says_what_will_start(world: World, anna: Client) -> None:
    async def preview(action: str, source: str) -> Any:
        return await anna.get(f"preview?action={action}&source={source}&date={world.today}")

    page = await preview("mark-ready", "hive.stores")
    assert (page["starts"], page["text"]) == ([], "Starts nothing now.")
    await world.log("hive.sales")
    await world.step()
    page = await preview("mark-ready", "hive.stores")
    assert (page["starts"], page["text"]) == (["sales_report"], "Starts at once: sales_report.")
    assert page["cli"] == f"airflow readiness mark-ready hive.stores --date {world.today} --reason '…'"
    assert (await preview("skip", "hive.stores"))["starts"] == ["sales_report"]
    assert (await preview("extend", "hive.stores"))["starts"] == []
    assert "already: nothing changes" in (await preview("skip", "hive.sales"))["text"]
    await world.store.connection.execute(
        "update readiness.flow set paused = true where dag_id = 'sales_report'"
    )
    page = await preview("skip", "hive.stores")
    assert (page["starts"], "once it is unpaused or mended: sales_report" in page["text"]) == ([], True)
    tomorrow = world.today + dt.timedelta(days=1)
    page = await anna.get(f"preview?action=skip&source=hive.stores&date={tomorrow}")
    assert "when the logs begin to count" in page["text"]
    page = await anna.get(f"preview?action=rerun&flow=rates_report&date={world.today}")
    assert page["starts"] == ["rates_report"]
