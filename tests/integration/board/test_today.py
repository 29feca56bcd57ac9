"""Tonight: each flow with one sentence, each source with its state, and who is at work."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import asyncpg
import pytest

from airflow_readiness import engine
from airflow_readiness.ui.airflow_side import Theirs
from airflow_readiness.ui.board import Board
from tests.integration.board.client import Client
from tests.integration.board.world import World

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")


def by_name(rows: list[dict[str, Any]], key: str = "name") -> Mapping[str, dict[str, Any]]:
    return {row[key]: row for row in rows}


def flows(page: dict[str, Any]) -> Mapping[str, dict[str, Any]]:
    return by_name(page["flows"], "dag_id")


async def test_what_waits_for_what_and_until_when(world: World, anna: Client) -> None:
    await world.settings_of("hive.stores", "17:00", count=2)
    await world.log("hive.sales")
    await world.log("hive.stores")
    await world.step()
    page = await anna.get("today")
    assert page["business_date"] == f"{world.today}"
    assert page["timezone"] == world.settings.timezone
    assert page["stale"] is None
    assert (page["hidden"], page["hidden_sources"]) == (0, 0)
    assert list(flows(page)) == ["sales_report", "rates_report", "secret_flow"]
    flow = flows(page)["sales_report"]
    assert flow["sentence"].startswith("Waiting for 1 of 2: hive.stores; deadline in ")
    assert flow | {"sentence": ""} == {
        "dag_id": "sales_report",
        "business_date": f"{world.today}",
        "state": "waiting",
        "sentence": "",
        "condition": "hive.sales & hive.stores",
        "deadline_at": at(world, "17:00"),
        "launched_at": None,
        "run": None,
        "pending": False,
        "paused": False,
        "broken": False,
        "sources": ["hive.sales", "hive.stores"],
        "can_act": True,
    }
    sources = by_name(page["sources"])
    assert sources["hive.sales"]["state"] == "ready"
    assert sources["hive.stores"] == {
        "name": "hive.stores",
        "business_date": f"{world.today}",
        "state": "waiting",
        "log_count": 1,
        "needed": 2,
        "ready_at": None,
        "deadline_at": at(world, "17:00"),
        "window_start": at(world, "00:00"),
        "window_end": at(world, "00:00", days=1),
        "last_log_at": sources["hive.stores"]["last_log_at"],
        "configured": True,
        "usual": {"samples": 0, "p50": None, "p90": None},
        "can_act": True,
    }
    assert sources["hive.stores"]["last_log_at"] is not None


def at(world: World, clock: str, days: int = 0) -> str:
    hour, minute = map(int, clock.split(":"))
    zone = int(world.settings.timezone.removeprefix("Etc/GMT"))
    day = dt.datetime.combine(world.today + dt.timedelta(days), dt.time(hour, minute), dt.timezone.utc)
    return f"{day + dt.timedelta(hours=zone):%Y-%m-%dT%H:%M:%SZ}"


async def test_a_source_without_settings_is_shown_as_that_until_it_is_ready(
    world: World, anna: Client, board: Board
) -> None:
    page = await anna.get("today")
    assert by_name(page["sources"])["hive.rates"]["state"] == "not_configured"
    assert by_name(page["sources"])["hive.rates"]["configured"] is False
    assert flows(page)["rates_report"]["state"] == "not_configured"
    await world.log("hive.rates")
    await world.step()
    page = await fresh(board, anna, f"dates/{world.today}")
    assert by_name(page["sources"])["hive.rates"]["state"] == "ready"


async def test_a_launch_is_told_with_its_run(
    world: World, anna: Client, board: Board, metadata_db: asyncpg.Connection
) -> None:
    await world.log("hive.rates")
    await world.step()
    page = await anna.get("today")
    flow = flows(page)["rates_report"]
    assert (flow["state"], flow["run"]) == ("ready", None)
    assert flow["launched_at"] is not None
    assert flow["sentence"].startswith("Started at ")
    assert flow["sentence"].endswith(": all was ready.")
    # what is on its way is told last
    assert page["flows"][-1]["dag_id"] == "rates_report"
    await metadata_db.execute(
        "insert into asset_partition_dag_run (target_dag_id, partition_key, created_at, updated_at) "
        "values ('rates_report', $1, now(), now()), ('rates_report', '2020-01-01', now(), now())",
        f"{world.today}",
    )
    page = await fresh(board, anna)
    assert flows(page)["rates_report"]["pending"] is True
    assert page["health"]["pending_pairs"] == 2
    assert page["health"]["pending_limit"] == 500
    for number in (1, 2):
        await metadata_db.execute(
            "insert into dag_run (dag_id, run_id, state, run_type, run_after, queued_at, partition_key, "
            "clear_number, log_template_id) "
            "values ('rates_report', $1, $2, 'asset_triggered', now(), now(), $3, 0, 1)",
            f"run_{number}",
            ["failed", "success"][number - 1],
            f"{world.today}",
        )
    page = await fresh(board, anna)
    assert flows(page)["rates_report"]["run"] == {"run_id": "run_2", "state": "success"}


async def fresh(board: Board, client: Client, path: str = "today") -> Any:
    """Not the answer of a moment ago."""
    board._looks.clear()
    board.ours._kept.clear()
    return await client.get(path)


async def test_at_its_deadline_and_what_came_later(world: World, anna: Client, board: Board) -> None:
    await world.log("hive.sales")
    past = await engine.clock(world.store) - dt.timedelta(minutes=1)
    await world.step()
    await world.judged("hive.stores", deadline_override=past, changed_at=None)
    await world.step()
    page = await anna.get("today")
    flow = flows(page)["sales_report"]
    assert flow["state"] == "missed", flow
    assert flow["sentence"].endswith("at its deadline, without hive.stores.")
    assert by_name(page["sources"])["hive.stores"]["state"] == "missed"
    await world.log("hive.stores")
    await world.step()
    page = await fresh(board, anna)
    assert flows(page)["sales_report"]["state"] == "late"
    assert flows(page)["sales_report"]["sentence"].endswith("without hive.stores; hive.stores came later.")
    assert by_name(page["sources"])["hive.stores"]["state"] == "late"


async def test_when_it_usually_comes_and_that_it_is_late(world: World, anna: Client, board: Board) -> None:
    await world.settings_of("hive.rates", "18:00")
    await world.usually("hive.rates", "05:40")
    await world.step()
    page = await anna.get("today")
    source = by_name(page["sources"])["hive.rates"]
    # it is about noon
    assert source["state"] == "at_risk"
    assert source["usual"] == {"samples": 12, "p50": at(world, "05:40"), "p90": at(world, "05:40")}
    flow = flows(page)["rates_report"]
    assert flow["state"] == "at_risk"
    assert flow["sentence"].startswith("Waiting for 1 of 1: hive.rates, usually 05:40, ")
    assert " late; deadline in " in flow["sentence"]
    # the same function says it to the command line
    (row,) = [row for row in await world.store.fetch("status", world.today) if row["source"] == "hive.rates"]
    assert (row["samples"], row["usual"]) == (12, dt.timedelta(hours=5, minutes=40))
    assert page["flows"][0]["dag_id"] == "rates_report"


async def test_under_ten_samples_it_says_how_many(world: World, anna: Client) -> None:
    await world.usually("hive.rates", "05:40", weeks=9)
    page = await anna.get("today")
    assert by_name(page["sources"])["hive.rates"]["usual"] == {"samples": 9, "p50": None, "p90": None}


async def test_unknown_once_nobody_has_looked_for_too_long(world: World, anna: Client, board: Board) -> None:
    await world.log("hive.sales")
    await world.step()
    await world.beat(ago=60)
    # the registrar is silent; the processor is not yet
    page = await anna.get("today")
    assert flows(page)["sales_report"]["state"] == "not_configured"
    await world.beat(ago=100)
    page = await fresh(board, anna)
    assert flows(page)["sales_report"]["state"] == "unknown"
    assert "Nobody has looked" in flows(page)["sales_report"]["sentence"]
    sources = by_name(page["sources"])
    assert sources["hive.stores"]["state"] == "unknown"
    # what was seen was seen
    assert sources["hive.sales"]["state"] == "ready"


async def test_unknown_where_a_deadline_has_passed_unjudged(world: World, anna: Client) -> None:
    past = await engine.clock(world.store) - dt.timedelta(seconds=70)
    await world.judged("hive.rates", deadline_at=past)
    page = await anna.get("today")
    assert by_name(page["sources"])["hive.rates"]["state"] == "unknown"
    assert flows(page)["rates_report"]["state"] == "unknown"


async def test_a_flow_that_is_new_and_a_date_before_it(world: World, anna: Client) -> None:
    await world.store.connection.execute("delete from readiness.flow where dag_id = 'rates_report'")
    page = await anna.get("today")
    assert flows(page)["rates_report"]["state"] == "unknown"
    assert "registrar has not taken it up" in flows(page)["rates_report"]["sentence"]
    yesterday = world.today - dt.timedelta(days=1)
    page = await anna.get(f"dates/{yesterday}")
    assert flows(page)["sales_report"]["state"] == "not_due"
    assert flows(page)["sales_report"]["sentence"] == f"It is judged from {world.today} on."


async def test_paused_and_broken_flows_say_so(
    world: World, anna: Client, metadata_db: asyncpg.Connection
) -> None:
    await metadata_db.execute("update dag set is_paused = true where dag_id = 'rates_report'")
    await metadata_db.execute("update dag set is_stale = true where dag_id = 'sales_report'")
    await world.log("hive.rates")
    await world.step()
    page = await anna.get("today")
    assert flows(page)["rates_report"]["paused"] is True
    sentence = flows(page)["rates_report"]["sentence"]
    assert sentence.startswith("Held since ")
    assert sentence.endswith(": all was ready. It is paused: it starts once it is unpaused.")
    assert flows(page)["sales_report"]["broken"] is True
    assert "broken or gone" in flows(page)["sales_report"]["sentence"]


async def test_the_health_is_that_of_the_doctor(world: World, anna: Client, board: Board) -> None:
    page = await anna.get("health")
    assert (await anna.get("today"))["health"] == page
    assert page["processor"]["beat_at"] is not None
    assert page["redis"] == {"mode": "notifications"}
    assert page["last_event_at"] is None
    assert {each["part"] for each in page["problems"]} == {"redis"}
    assert page["status"] == "degraded"


async def test_names_of_flows_are_not_in_the_health_of_who_may_not_read_them(
    world: World, anna: Client, nora: Client
) -> None:
    await world.log("hive.secret")
    await world.log("hive.sales")
    await world.step()
    await world.store.connection.execute(
        "update readiness.launch set decided_at = decided_at - interval '1 hour';"
        "update readiness.flow set seen_at = seen_at - interval '1 hour'"
    )

    def stuck(page: dict[str, Any]) -> str:
        (text,) = [each["text"] for each in page["problems"] if each["part"] == "launches"]
        return str(text)

    assert "(hive.sales & hive.secret for " in stuck(await anna.get("health"))
    text = stuck(await nora.get("health"))
    assert "secret" not in text
    assert text == "launches that Airflow has not recorded after a minute: 1"


async def test_a_flow_that_may_not_be_read_is_not_there_nor_what_it_alone_waits_for(
    world: World, anna: Client, nora: Client
) -> None:
    page = await nora.get("today")
    assert set(flows(page)) == {"sales_report", "rates_report"}
    assert set(by_name(page["sources"])) == {"hive.sales", "hive.stores", "hive.rates"}
    assert page["hidden"] == 0
    assert set(by_name((await anna.get("today"))["sources"])) >= {"hive.secret"}
    assert not any(each["can_act"] for each in page["flows"] + page["sources"])


async def test_who_may_act_is_told(world: World, uma: Client, vera: Client) -> None:
    page = await uma.get("today")
    assert all(flow["can_act"] for flow in page["flows"])
    # assets are for operators and admins
    assert not any(source["can_act"] for source in page["sources"])
    page = await vera.get("today")
    assert not any(each["can_act"] for each in page["flows"] + page["sources"])


async def test_those_beyond_the_limit_are_counted(
    world: World, anna: Client, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_readiness.ui.today.LIMIT", 2)
    page = await anna.get("today")
    assert (len(page["flows"]), page["hidden"]) == (2, 1)
    assert (len(page["sources"]), page["hidden_sources"]) == (2, 2)


async def test_all_who_look_within_a_second_share_one_look(
    world: World, anna: Client, vera: Client, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_readiness.ui import airflow_side

    looks: list[dt.date] = []

    def look(day: dt.date) -> Theirs:
        looks.append(day)
        return on_date(day)

    on_date = airflow_side.on_date
    monkeypatch.setattr(airflow_side, "on_date", look)
    monkeypatch.setattr("airflow_readiness.ui.pool.SHARED", 60)
    await anna.get("today")
    before = await world.store.connection.fetchval("select clock_timestamp()")
    pages = [await client.get("today") for client in (anna, vera, anna)]
    assert looks == [world.today]
    assert all(page["flows"] for page in pages)
    assert before is not None
