"""The tab of a DAG: what it waits for, with the evidence, and its last thirty days."""

from __future__ import annotations

import datetime as dt

import asyncpg
import pytest

from airflow_readiness import engine
from tests.integration.board.client import Client
from tests.integration.board.world import FLOWS, World

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")


async def test_a_dag_that_is_no_flow(world: World, anna: Client) -> None:
    assert await anna.get("flows/plain") == {"dag_id": "plain", "consumer": False}


async def test_the_condition_with_the_evidence_of_each_leaf(world: World, anna: Client) -> None:
    await world.settings_of("hive.stores", "17:00", count=2)
    await world.log("hive.sales")
    await world.log("hive.stores")
    await world.log("hive.stores", world.today - dt.timedelta(days=1))
    await world.step()
    page = await anna.get("flows/sales_report")
    assert page["consumer"] is True
    assert (page["state"], page["launch"], page["run"], page["stale"]) == ("waiting", None, None, None)
    assert page["condition"] == {"all": [{"source": "hive.sales"}, {"source": "hive.stores"}]}
    assert page["sentence"].startswith("Waiting for 1 of 2: hive.stores; deadline in ")
    stores = page["sources"]["hive.stores"]
    assert (stores["log_count"], stores["needed"], stores["state"]) == (1, 2, "waiting")
    assert stores["known_at"] is not None
    # yesterday's log is none of today's
    (log,) = stores["last_logs"]
    assert log["row_count"] == 7
    assert log["fm_table"] == "readiness.fm_log"
    assert log["logged_at"] == stores["last_log_at"]
    assert log["load_id"]
    assert page["can_act"] is True
    assert stores["can_act"] is True


async def test_undated_logs_are_those_of_the_window(world: World, anna: Client) -> None:
    await world.store.connection.execute("select readiness.report_log('hive', 'rates', row_count => 9)")
    at = await engine.clock(world.store) - dt.timedelta(days=2)
    await world.store.connection.execute(
        "select readiness.report_log('hive', 'rates', row_count => 1, logged_at => $1)", at
    )
    await world.step()
    page = await anna.get("flows/rates_report")
    assert [log["row_count"] for log in page["sources"]["hive.rates"]["last_logs"]] == [9]
    assert page["launch"]["outcomes"] == {"hive.rates": "ready"}
    assert page["launch"]["decided_at"] is not None
    assert page["launch"]["published_at"] is None


async def past(world: World, ago: int, *, state: str, outcome: str, late: str | None = None) -> dt.date:
    """``rates_report`` was launched so many days ago; what became of its source."""
    day = world.today - dt.timedelta(days=ago)
    deadline = dt.datetime.combine(day, dt.time(6), dt.timezone.utc)
    ready_at = deadline + dt.timedelta(minutes=int(late)) if late else None
    await world.store.connection.execute(
        "insert into readiness.processed_log (source_database, source_table, business_date, state, "
        "deadline_at, window_start, window_end, ready_at, changed_at, closed) "
        "values ('hive', 'rates', $1, $2, $3, $3, $3, $4, $3, true)",
        day,
        state,
        deadline,
        ready_at,
    )
    evidence = {"sources": {"hive.rates": {"outcome": outcome}}}
    await world.store.connection.execute(
        "insert into readiness.launch (condition, business_date, decided_at, published_at, evidence) "
        "values ('hive.rates', $1, $2, $2, $3)",
        day,
        deadline,
        evidence,
    )
    return day


async def test_the_last_thirty_days(world: World, anna: Client) -> None:
    first = world.today - dt.timedelta(days=20)
    await world.store.connection.execute("update readiness.flow set first_date = $1", first)
    on_time = await past(world, 3, state="ready", outcome="ready")
    late = await past(world, 2, state="late", outcome="deadline", late="90")
    missed = await past(world, 1, state="missed", outcome="deadline")
    await world.store.run("runs_seen", ["rates_report"], [late], ["hive.rates"], ["run_1"])
    await world.store.run("runs_seen", ["rates_report"], [missed], ["hive.rates"], [None])
    page = await anna.get("flows/rates_report")
    days = {day["date"]: day for day in page["days"]}
    assert list(days) == [f"{world.today - dt.timedelta(days=ago)}" for ago in range(29, -1, -1)]
    assert days[f"{on_time}"]["state"] == "on_time"
    assert days[f"{late}"] == {"date": f"{late}", "state": "late", "late_by": 5400, "run_id": "run_1"}
    assert days[f"{missed}"] == {"date": f"{missed}", "state": "missed", "late_by": None, "run_id": None}
    assert days[f"{world.today}"]["state"] == "waiting"
    assert days[f"{first}"]["state"] == "waiting"
    assert days[f"{first - dt.timedelta(days=1)}"]["state"] == "no_run"
    # its event came, and Airflow has made no run of it
    assert page["dropped"] == 1


async def test_another_date_with_its_run_however_long_ago(
    world: World, anna: Client, metadata_db: asyncpg.Connection
) -> None:
    day = await past(world, 25, state="missed", outcome="deadline")
    await metadata_db.execute(
        "insert into dag_run (dag_id, run_id, state, run_type, run_after, queued_at, partition_key, "
        "clear_number, log_template_id) "
        "values ('rates_report', 'again', 'running', 'manual', now(), now(), $1, 0, 1)",
        f"{day}",
    )
    page = await anna.get(f"flows/rates_report?date={day}")
    assert page["business_date"] == f"{day}"
    assert page["state"] == "missed"
    assert page["run"] == {"run_id": "again", "state": "running"}
    assert page["days"][-1]["date"] == f"{world.today}"


async def test_a_flow_that_the_registrar_has_not_seen(world: World, anna: Client) -> None:
    await world.store.connection.execute("delete from readiness.flow")
    page = await anna.get("flows/sales_report")
    assert (page["state"], page["why"], page["launch"]) == ("unknown", [], None)
    assert set(page["sources"]) == set(FLOWS["sales_report"].sources)


async def test_one_that_may_not_be_read_looks_as_one_that_is_not_there(world: World, nora: Client) -> None:
    answers = [await nora.ask("GET", f"api/flows/{name}") for name in ("secret_flow", "nothing_of_the_kind")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


async def test_problems_do_not_name_other_flows(world: World, nora: Client) -> None:
    await world.log("hive.secret")
    await world.log("hive.sales")
    await world.step()
    await world.store.connection.execute(
        "update readiness.launch set decided_at = decided_at - interval '1 hour';"
        "update readiness.flow set seen_at = seen_at - interval '1 hour'"
    )
    page = await nora.get("flows/sales_report")
    assert any("not recorded after a minute: 1" in line for line in page["why"])
    assert "secret" not in str(page)
