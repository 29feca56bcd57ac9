"""``airflow readiness why``: each reason for which a flow does not run yet, or ran."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
from redis.asyncio import Redis

from airflow_readiness import engine
from airflow_readiness.config import Config
from airflow_readiness.core.condition import combine, of_source
from airflow_readiness.core.names import SNAPSHOT_KEY
from airflow_readiness.operating import by_hand
from airflow_readiness.store.store import Store
from tests.integration.commands import Command, Ran

Do: TypeAlias = Callable[..., Awaitable[None]]
Ask: TypeAlias = Callable[..., Awaitable[Ran]]

SALES, STORES = of_source("hive.sales"), of_source("hive.stores")
BOTH = combine("all", [SALES, STORES])


@pytest.fixture
async def ask(
    command: Command,
    store: Store,
    redis: Redis,
    settings: Config,
    add_flow: Do,
    set_settings: Do,
    today: dt.date,
) -> Ask:
    """A step of the processor, then ``why``. Two sources, one of them without settings; all parts are well."""
    await engine.configure(store, settings)
    await add_flow("both", BOTH, today)
    await set_settings("hive.sales", "18:00", log_count=2)
    (deployment,) = await store.fetch("deployment")
    await redis.set(SNAPSHOT_KEY, deployment["id"])
    await redis.config_set("notify-keyspace-events", "Kg$")
    await store.run("beat", "processor", None, {"deaf": False, "redis": True})
    await store.run("beat", "collector", None, {"redis": True, "mode": "notifications"})
    await store.run("beat", "registrar", None, {"flows": 1, "triggerers": 1, "paused": []})

    async def run(*arguments: str, step: bool = True) -> Ran:
        if step:
            await engine.tick(store, everything=True)
        return await command("why", "both", *arguments)

    return run


def sentence(ran: Ran, source: str) -> str:
    (line,) = (line for line in ran.out.splitlines() if line.startswith(f"- {source} "))
    return line


async def test_waiting_and_what_it_would_take(ask: Ask, report: Do, today: dt.date) -> None:
    await report("hive.sales", dt.datetime.now(dt.timezone.utc), today)
    ran = await ask()
    assert ran.code == 1
    assert ran.out.startswith(f"both waits for {today}: it needs hive.sales & hive.stores.")
    says = sentence(ran, "hive.sales")
    assert "has 1 of 2 logs; it is usually there by too few (0), its deadline is 18:00" in says
    assert f"It takes 1 more log row ('airflow readiness report hive.sales --date {today}')" in says
    assert "its deadline 18:00" in says
    ran = await ask("--json")
    assert ran.json["verdict"] == "waiting"
    assert [each["state"] for each in ran.json["sources"]] == ["waiting", "waiting"]
    assert ran.json["problems"] == []


async def test_not_configured(ask: Ask) -> None:
    ran = await ask()
    assert "(not configured)" in sentence(ran, "hive.stores")
    assert "not configured" not in sentence(ran, "hive.sales")


async def came_at(store: Store, settings: Config, today: dt.date, clock: str) -> None:
    """The source was ready at this time of the clock on twelve such weekdays."""
    await store.connection.execute(
        "insert into readiness.arrival"
        " (source_database, source_table, business_date, state, ready_at, log_count, by_hand)"
        " select 'hive', 'sales', $1::date - 7 * n, 'ready', ($1::date - 7 * n + $3::time)"
        " at time zone $2, 1, false from generate_series(1, 12) as n",
        today,
        settings.timezone,
        dt.time.fromisoformat(clock),
    )


async def test_at_risk_because_it_is_usually_there_by_now(
    ask: Ask, store: Store, settings: Config, today: dt.date
) -> None:
    await came_at(store, settings, today, "05:12")
    says = sentence(await ask(), "hive.sales")
    assert "is at risk: by now it was there nine times of ten" in says
    assert "usually there by 05:12 (90% by 05:12)" in says


async def test_at_risk_because_it_usually_comes_after_its_deadline(
    ask: Ask, store: Store, settings: Config, today: dt.date
) -> None:
    await came_at(store, settings, today, "19:30")
    ran = await ask()
    assert "is at risk: it often comes after its deadline" in sentence(ran, "hive.sales")


async def expire(store: Store, *sources: str) -> None:
    await store.connection.execute(
        "update readiness.processed_log set deadline_override = clock_timestamp() - interval '1 minute'"
        " where source = any ($1::text[])",
        list(sources),
    )


async def test_missed(ask: Ask, store: Store) -> None:
    await ask()
    await expire(store, "hive.sales")
    ran = await ask()
    assert "missed its deadline" in sentence(ran, "hive.sales")
    assert "nobody waits for it any more" in sentence(ran, "hive.sales")
    assert ran.code == 1, "the other source is waited for"


async def test_late_and_launched_already_when_and_by_what(
    ask: Ask, store: Store, report: Do, today: dt.date
) -> None:
    await ask()
    await expire(store, "hive.sales", "hive.stores")
    await ask()
    now = dt.datetime.now(dt.timezone.utc)
    for _ in range(2):
        await report("hive.sales", now, today)
    await store.connection.execute("update readiness.launch set published_at = decided_at")
    ran = await ask()
    assert ran.code == 0
    assert f"both was launched for {today} at " in ran.out
    assert "hive.sales was past its deadline, hive.stores was past its deadline" in ran.out
    assert "Airflow makes its run" in ran.out
    assert "came late, at " in sentence(ran, "hive.sales")
    ran = await ask("--json")
    assert ran.json["outcomes"] == {"hive.sales": "deadline", "hive.stores": "deadline"}
    assert ran.json["launched_at"] is not None


async def test_its_run_is_there(ask: Ask, store: Store, today: dt.date) -> None:
    await ask()
    await expire(store, "hive.sales", "hive.stores")
    await ask()
    await store.connection.execute("update readiness.launch set published_at = decided_at")
    await store.run("runs_seen", ["both"], [today], [BOTH.text], ["run_1"])
    ran = await ask()
    assert (ran.code, "Its run is run_1." in ran.out) == (0, True)


async def test_it_missed_its_launch_and_is_started_by_itself(ask: Ask, store: Store, today: dt.date) -> None:
    await ask()
    await expire(store, "hive.sales", "hive.stores")
    await ask()
    await store.connection.execute("update readiness.launch set published_at = decided_at")
    await store.run("runs_seen", ["both"], [today], [BOTH.text], [None])
    assert "It missed that, and is started by itself" in (await ask()).out


async def test_the_consumer_is_paused(ask: Ask, store: Store, add_flow: Do, today: dt.date) -> None:
    await add_flow("both", BOTH, today, paused=True)
    ran = await ask()
    assert "Also, both is paused: 'airflow dags unpause both', and it starts once it is due." in ran.out
    await expire(store, "hive.sales", "hive.stores")
    ran = await ask("--json")
    assert (ran.code, ran.json["verdict"]) == (1, "held")
    assert "It has not started: both is paused" in ran.json["headline"]


async def test_its_file_is_broken(ask: Ask, add_flow: Do, today: dt.date) -> None:
    await add_flow("both", BOTH, today, broken=True)
    assert "airflow dags list-import-errors" in (await ask()).out


async def test_the_collector_is_down(ask: Ask, store: Store) -> None:
    await ask()
    await expire(store, "hive.sales", "hive.stores")
    await store.connection.execute(
        "update readiness.heartbeat set beat_at = beat_at - interval '1 hour' where part = 'collector'"
    )
    ran = await ask()
    assert "about to be published by the collector" in ran.out
    assert "- collector: the collector is not running" in ran.out
    assert "look at the runs of the DAG readiness_collector" in ran.out
    # once it runs, that does not matter any more
    await store.connection.execute("update readiness.launch set published_at = decided_at")
    await store.run("runs_seen", ["both"], [(await today_of(store))], [BOTH.text], ["run_1"])
    assert "collector" not in (await ask()).out


async def today_of(store: Store) -> dt.date:
    day: dt.date = await store.connection.fetchval("select business_date from readiness.launch")
    return day


async def test_the_processor_has_not_taken_its_step(ask: Ask, store: Store) -> None:
    await ask()
    await store.connection.execute("delete from readiness.heartbeat where part = 'processor'")
    await store.connection.execute(
        "update readiness.processed_log set deadline_at = clock_timestamp() - interval '1 minute'"
    )
    ran = await ask(step=False)
    assert "waits although its deadline" in sentence(ran, "hive.sales")
    assert "It takes a step of the processor" in sentence(ran, "hive.sales")
    assert "- processor: the processor has never run" in ran.out


async def test_what_was_done_by_hand(
    ask: Ask, command: Command, store: Store, today: dt.date, monkeypatch: pytest.MonkeyPatch
) -> None:
    # no processor is at work here
    monkeypatch.setattr(by_hand, "PATIENCE", 0)
    await ask()
    await command("skip", "hive.stores", "--date", f"{today}", "--reason", "no stores today")
    await command("extend", "hive.sales", "--date", f"{today}", "--to", "20:15", "--reason", "late loader")
    ran = await ask()
    assert "is not waited for since" in sentence(ran, "hive.stores")
    assert ": no stores today; not configured)" in sentence(ran, "hive.stores")
    assert " extend hive.sales to 20:15 at " in ran.out
    assert ": late loader" in ran.out


async def test_dates_before_the_flow_was_known_and_dates_to_come(ask: Ask, today: dt.date) -> None:
    before = today - dt.timedelta(days=1)
    ran = await ask("--date", f"{before}")
    assert f"both is judged from {today} on" in ran.out
    assert f"'airflow readiness backfill both --from {before} --to {before}'" in ran.out
    ran = await ask("--date", f"{today + dt.timedelta(days=9)}")
    assert "is not judged yet: its day has not begun" in sentence(ran, "hive.sales")


async def test_a_flow_that_is_gone(ask: Ask, store: Store) -> None:
    await store.run("flows_gone", ["another"])
    ran = await ask()
    assert (ran.code, "both is not in Airflow any more" in ran.out) == (1, True)


async def test_a_flow_that_is_not_there(command: Command, ask: Ask) -> None:
    ran = await command("why", "boht")
    assert (ran.code, "there is no flow 'boht': did you mean both?" in ran.err) == (2, True)
    ran = await command("why", "quite_another")
    assert "a flow is a DAG with schedule=ready(…)" in ran.err
