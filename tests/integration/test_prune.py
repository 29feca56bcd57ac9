"""``airflow readiness prune``: what is old and over is deleted, in batches; what is at work is not."""

from __future__ import annotations

import asyncio
import datetime as dt
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from airflow_readiness import engine
from airflow_readiness.core.condition import of_source
from airflow_readiness.core.document import Launch
from airflow_readiness.errors import BadInput
from airflow_readiness.operating.prune import TABLES, prune, prune_now
from airflow_readiness.store.store import Store
from tests.integration.commands import Command

Do: TypeAlias = Callable[..., Awaitable[None]]
SALES = of_source("hive.sales")


async def counts(store: Store) -> dict[str, int]:
    return {
        table: await store.connection.fetchval(f"select count(*) from readiness.{table}") for table in TABLES
    }


async def history(store: Store, today: dt.date, days: int, first: int = 0) -> None:
    """A flow on a source that was ready, launched and run every day, up to today."""
    launch = Launch(SALES, today, {}, decided_at=dt.datetime.now(dt.timezone.utc))
    await store.connection.execute(
        """
        with days as (
            select $1::date - n as day, ($1::date - n)::timestamptz + interval '5 hours' as at
            from generate_series($3::int, $2::int - 1) as n
        ),
        logs as (
            insert into readiness.fm_log (source_database, source_table, business_date, logged_at)
            select 'hive', 'sales', day, at from days
        ),
        known as (
            insert into readiness.processed_log (source_database, source_table, business_date, state, log_count,
                                                 ready_at, deadline_at, window_start, window_end, changed_at)
            select 'hive', 'sales', day, 'ready', 1, at, at, at, at + interval '1 day', at from days
        ),
        launches as (
            insert into readiness.launch (condition, business_date, decided_at, published_at, evidence)
            select 'hive.sales', day, at, at, $4 from days
        ),
        told as (
            insert into readiness.alarm (source, business_date, kind, notifier, again_at, sent_at)
            select 'hive.sales', day, 'late', 'Mail', at, at from days
        )
        insert into readiness.launch_run (dag_id, business_date, condition, run_id, seen_at)
        select 'flow', day, 'hive.sales', 'run', at from days
        """,
        today,
        days,
        first,
        launch.to_json(),
    )


async def test_what_is_older_goes_and_the_arrivals_stay(
    store: Store, today: dt.date, add_flow: Do, set_settings: Do
) -> None:
    await add_flow("flow", SALES, today - dt.timedelta(days=90))
    await history(store, today, 100)
    before = await counts(store)
    told: list[tuple[str, int, int]] = []
    done = await prune(store, 40, 1000, batch=7, progress=lambda *batch: told.append(batch))
    number = done.rows["processed_log"]
    steps = [(so_far, whole) for table, so_far, whole in told if table == "processed_log"]
    assert steps == [(so_far, number) for so_far in [*range(0, number, 7), number]], "each batch is told"
    assert all(55 <= done.rows[table] <= 61 for table in ("launch_run", "launch", "processed_log", "fm_log"))
    after = await counts(store)
    assert {table: before[table] - number for table, number in done.rows.items() if table != "arrival"} == {
        table: number for table, number in after.items() if table != "arrival"
    }
    assert after["arrival"] == done.rows["processed_log"]
    row = await store.connection.fetchrow("select * from readiness.arrival limit 1")
    assert (row["state"], row["log_count"], row["by_hand"]) == ("ready", 1, False)
    assert row["ready_at"] is not None
    assert set((await prune(store, 40, 1000)).rows.values()) == {0}, "once more, there is nothing"


async def test_usual_times_survive(store: Store, today: dt.date) -> None:
    await history(store, today, 90, first=1)
    row = "select readiness.usual_arrival('hive', 'sales', $1)::text"
    before = await store.connection.fetchval(row, today)
    assert before.startswith("(12,") or before.startswith("(13,")
    await prune(store, 35, 1000)
    assert await store.connection.fetchval(row, today) == before


async def test_what_was_forgotten_is_never_launched_again(store: Store, today: dt.date, add_flow: Do) -> None:
    old = today - dt.timedelta(days=80)
    await add_flow("flow", SALES, today - dt.timedelta(days=90))
    await history(store, today, 100)
    await prune(store, 40, 1000)
    assert await store.connection.fetchval("select first_date from readiness.flow") > old
    # a sensor that asks for the old date, and a log that comes for it
    await store.run("expect", "hive", "sales", old, None)
    await store.connection.execute("select readiness.report_log('hive', 'sales', $1)", old)
    result = await engine.tick(store, everything=True)
    assert old in {known.business_date for known in result.changed}
    assert old not in {launch.business_date for launch in result.launched}


async def test_what_is_at_work_stays(store: Store, today: dt.date, add_flow: Do) -> None:
    await add_flow("flow", SALES, today)
    await history(store, today, 60)
    execute = store.connection.execute
    await execute("update readiness.launch set published_at = null")
    await execute("update readiness.launch_run set run_id = null")
    await execute("update readiness.processed_log set state = 'waiting'")
    done = await prune(store, 40, 1000)
    assert {table: done.rows[table] for table in TABLES if table != "alarm"} == dict.fromkeys(
        set(TABLES) - {"alarm"}, 0
    )
    # once the flow is gone, nobody will carry these out
    await execute("update readiness.flow set gone_at = now()")
    await execute("update readiness.processed_log set state = 'missed', closed = true")
    done = await prune(store, 40, 1000)
    assert min(done.rows[table] for table in ("launch", "launch_run", "processed_log", "fm_log")) > 10


async def test_a_date_long_ago_that_was_backfilled_lately_stays(store: Store, today: dt.date) -> None:
    await history(store, today, 100)
    now = "clock_timestamp()"
    await store.connection.execute(f"update readiness.launch set published_at = {now}")
    await store.connection.execute(f"update readiness.launch_run set seen_at = {now}")
    await store.connection.execute(f"update readiness.processed_log set changed_at = {now}")
    await store.connection.execute(f"update readiness.fm_log set logged_at = {now}")
    done = await prune(store, 40, 1000)
    assert {done.rows[table] for table in ("launch", "launch_run", "processed_log", "fm_log")} == {0}


async def test_old_settings_go_once_nothing_was_judged_by_them(
    store: Store, today: dt.date, set_settings: Do
) -> None:
    for minute in range(5):
        await set_settings("hive.sales", f"06:0{minute}")
    await store.connection.execute(
        "update readiness.log_setting set valid_to = valid_to - interval '90 days' where valid_to is not null"
    )
    await history(store, today, 60)
    await store.connection.execute(
        "update readiness.processed_log set setting_id = (select min(setting_id) from readiness.log_setting)"
        " where business_date = $1",
        today,
    )
    done = await prune(store, 40, 1000)
    assert done.rows["log_setting"] == 3
    left = await store.connection.fetch("select to_char(deadline, 'HH24:MI') as d from readiness.log_setting")
    assert {row["d"] for row in left} == {"06:00", "06:04"}, "the one in force, and the one that is named"


async def test_arrivals_go_later(store: Store, today: dt.date) -> None:
    await history(store, today, 100)
    await prune(store, 40, 1000)
    done = await prune(store, 40, 60)
    assert 35 <= done.rows["arrival"] <= 45


@pytest.mark.parametrize("days", [(34, 1000), (40, 34), (-1, 1000)])
async def test_too_few_days_are_refused_before_anything_is_deleted(
    store: Store, today: dt.date, days: tuple[int, int]
) -> None:
    await history(store, today, 100)
    before = await counts(store)
    with pytest.raises(BadInput, match="Keep 35 days at least"):
        await prune(store, *days)
    assert await counts(store) == before


async def test_the_command_says_how_many_rows_and_before_how_many_there_would_be(
    command: Command, store: Store, today: dt.date
) -> None:
    await history(store, today, 100)
    before = await counts(store)
    would = await command("prune", "--keep-days", "40", "--dry-run", "--json")
    assert (would.code, await counts(store)) == (0, before)
    done = await command("prune", "--keep-days", "40")
    assert done.code == 0
    told = dict(line.removeprefix("readiness.").split("\t") for line in done.out.splitlines()[1:])
    assert {name: int(number) for name, number in told.items()} == would.json["rows"]
    refused = await command("prune", "--keep-days", "3")
    assert (refused.code, "Keep 35 days at least" in refused.err) == (2, True)


@pytest.mark.usefixtures("deployed")
async def test_a_task_of_a_dag_can_call_it(store: Store, today: dt.date) -> None:
    await history(store, today, 100)
    rows = await asyncio.to_thread(prune_now, 40)
    assert rows["fm_log"] > 50


@pytest.mark.usefixtures("deployed")
async def test_killed_in_the_middle_it_repeats_cleanly(
    store: Store, today: dt.date, eventually: Callable[..., Awaitable[Any]]
) -> None:
    await history(store, today, 3000)
    before = (await counts(store))["processed_log"]
    script = (
        "import asyncio\n"
        "from airflow_readiness import config\n"
        "from airflow_readiness.operating.prune import prune\n"
        "from airflow_readiness.store.store import open_store\n"
        "async def work():\n"
        "    async with open_store(config.postgres_endpoint(config.load())) as store:\n"
        "        await prune(store, 40, 9000, batch=5)\n"
        "asyncio.run(work())\n"
    )
    killed = await asyncio.to_thread(subprocess.Popen, [sys.executable, "-c", script])
    try:

        async def in_the_middle() -> bool:
            return (await counts(store))["arrival"] >= 20

        await eventually(in_the_middle, within=60)
    finally:
        killed.kill()
        killed.wait()
    left = await counts(store)
    assert left["processed_log"] > 100, "it was in the middle"
    done = await prune(store, 40, 9000)
    after = await counts(store)
    assert after["arrival"] + after["processed_log"] == before, "no day is lost, and none is there twice"
    assert done.rows["fm_log"] > 2900
