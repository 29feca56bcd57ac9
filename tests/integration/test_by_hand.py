"""``airflow readiness mark-ready | skip | extend``: said once, kept for ever, never against the contract."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from airflow_readiness import engine
from airflow_readiness.core.condition import combine, of_source
from airflow_readiness.core.document import Launch, load_launch
from airflow_readiness.core.state import Action, Outcome
from airflow_readiness.operating import by_hand
from airflow_readiness.store.store import Store, open_store
from tests.integration.commands import Command

Eventually: TypeAlias = Callable[..., Awaitable[Any]]
AddFlow: TypeAlias = Callable[..., Awaitable[None]]
Do: TypeAlias = Callable[..., Awaitable[None]]

SALES, STORES = of_source("hive.sales"), of_source("hive.stores")
BOTH = combine("all", [SALES, STORES])
EITHER = combine("any", [SALES, STORES])
WHY = ("--reason", "the loader is broken")


@pytest.fixture
async def flow(
    processor: object, add_flow: AddFlow, today: dt.date, eventually: Eventually, store: Store
) -> None:
    """A flow that waits for both, and a processor at work."""
    await add_flow("both", BOTH, today)
    await eventually(lambda: states(store), within=10)


async def states(store: Store) -> dict[str, str]:
    rows = await store.connection.fetch(
        "select source, state from readiness.processed_log where changed_at is not null"
    )
    return {row["source"]: row["state"] for row in rows}


async def launches(store: Store) -> dict[tuple[str, dt.date], Launch]:
    rows = await store.connection.fetch("select * from readiness.launch")
    return {(row["condition"], row["business_date"]): load_launch(row["evidence"]) for row in rows}


async def audit(store: Store) -> list[tuple[str, str, str]]:
    rows = await store.connection.fetch("select * from readiness.audit order by audit_id")
    return [(row["action"], row["source"], row["reason"]) for row in rows]


@pytest.mark.usefixtures("flow")
async def test_marked_ready_launches_as_ready_and_the_evidence_says_by_whom(
    command: Command, store: Store, today: dt.date, report: Do
) -> None:
    await report("hive.stores", dt.datetime.now(dt.timezone.utc), today)
    done = await command("mark-ready", "hive.sales", "--date", f"{today}", *WHY, "--json")
    assert done.code == 0
    assert done.json["launched"] == ["both"]
    assert (done.json["was"], done.json["changed"], done.json["applied"]) == ("waiting", True, True)
    (launch,) = (await launches(store)).values()
    assert launch.outcomes == {"hive.sales": Outcome.READY, "hive.stores": Outcome.READY}
    said = launch.sources["hive.sales"].by_hand
    assert said is not None
    assert (said.action, said.reason) == (Action.MARK_READY, "the loader is broken")
    assert launch.sources["hive.stores"].by_hand is None
    row = await store.connection.fetchrow("select * from readiness.audit")
    assert (row["action"], row["source"], row["business_date"]) == ("mark-ready", "hive.sales", today)
    assert row["done_by"] == said.by
    assert row["login"] == await store.connection.fetchval("select session_user")


@pytest.mark.usefixtures("flow")
async def test_marked_twice_or_after_the_log_it_is_left_as_it_is(
    command: Command, store: Store, today: dt.date, report: Do, eventually: Eventually
) -> None:
    await report("hive.sales", dt.datetime.now(dt.timezone.utc), today)
    await eventually(lambda: is_state(store, "hive.sales", "ready"))
    done = await command("mark-ready", "hive.sales", "--date", f"{today}", *WHY)
    assert (done.code, "is ready for" in done.out, "nothing was changed" in done.out) == (0, True, True)
    assert await audit(store) == []
    for _ in range(2):
        assert (await command("mark-ready", "hive.stores", "--date", f"{today}", *WHY)).code == 0
    assert len(await audit(store)) == 1
    assert len(await launches(store)) == 1


async def is_state(store: Store, source: str, state: str) -> bool:
    return (await states(store)).get(source) == state


@pytest.mark.usefixtures("flow")
async def test_a_skipped_source_is_not_waited_for_and_the_evidence_says_so(
    command: Command, store: Store, today: dt.date, report: Do
) -> None:
    done = await command("skip", "hive.sales", "--date", f"{today}", *WHY)
    assert done.code == 0
    assert "Not launched yet: both" in done.out
    assert await launches(store) == {}, "the other source is waited for"
    await report("hive.stores", dt.datetime.now(dt.timezone.utc), today)
    done = await command("status", "--source", "hive.*", "--json")
    assert {each["source"]: each["state"] for each in done.json["sources"]}["hive.sales"] == "skipped"


@pytest.mark.usefixtures("flow")
async def test_the_launch_without_a_skipped_source_says_who_skipped_it(
    command: Command, store: Store, today: dt.date, report: Do, eventually: Eventually
) -> None:
    await command("skip", "hive.sales", "--date", f"{today}", *WHY)
    await report("hive.stores", dt.datetime.now(dt.timezone.utc), today)
    await eventually(lambda: launches(store))
    (launch,) = (await launches(store)).values()
    assert launch.outcomes == {"hive.sales": Outcome.SKIPPED, "hive.stores": Outcome.READY}
    assert not launch.by_deadline
    said = launch.sources["hive.sales"].by_hand
    assert said is not None
    assert said.reason == "the loader is broken"


@pytest.mark.usefixtures("processor")
async def test_of_two_of_which_one_is_enough_a_skipped_one_does_not_start_the_flow(
    command: Command, store: Store, today: dt.date, add_flow: AddFlow, eventually: Eventually
) -> None:
    await add_flow("either", EITHER, today)
    await eventually(lambda: is_state(store, "hive.sales", "waiting"))
    await command("skip", "hive.sales", "--date", f"{today}", *WHY)
    assert await launches(store) == {}
    done = await command("skip", "hive.stores", "--date", f"{today}", *WHY, "--json")
    assert done.json["launched"] == ["either"]


@pytest.mark.usefixtures("flow")
async def test_logs_that_come_after_a_skip_are_late_and_start_nothing(
    command: Command, store: Store, today: dt.date, report: Do, eventually: Eventually
) -> None:
    for source in ("hive.sales", "hive.stores"):
        await command("skip", source, "--date", f"{today}", *WHY)
    assert len(await launches(store)) == 1
    await report("hive.sales", dt.datetime.now(dt.timezone.utc), today)
    await eventually(lambda: is_state(store, "hive.sales", "late"))
    row = await store.connection.fetchrow(
        "select by_hand from readiness.processed_log where source = 'hive.sales'"
    )
    assert row["by_hand"] is None, "the logs decided"
    assert len(await launches(store)) == 1


@pytest.mark.usefixtures("processor")
@pytest.mark.parametrize("action", ["mark-ready", "skip"])
async def test_before_the_window_begins_it_waits_for_that(
    command: Command,
    store: Store,
    today: dt.date,
    add_flow: AddFlow,
    action: str,
    eventually: Eventually,
    advance: Callable[[dt.datetime], Awaitable[dict[tuple[str, dt.date], str]]],
) -> None:
    tomorrow = today + dt.timedelta(days=1)
    await add_flow("sales", SALES, today)
    await eventually(lambda: is_state(store, "hive.sales", "waiting"))
    done = await command(action, "hive.sales", "--date", f"{tomorrow}", *WHY)
    assert done.code == 0
    assert "when the logs begin to count" in done.out
    assert await launches(store) == {}, "never early"
    begins = await store.connection.fetchval(
        "select window_start from readiness.processed_log where business_date = $1", tomorrow
    )
    assert begins > dt.datetime.now(dt.timezone.utc)
    before = await advance(begins - dt.timedelta(seconds=1))
    assert ("hive.sales", tomorrow) not in before
    settled = {"mark-ready": "ready", "skip": "missed"}[action]
    assert (await advance(begins))["hive.sales", tomorrow] == settled


@pytest.mark.usefixtures("flow")
async def test_a_later_deadline_holds_for_one_source_and_date(
    command: Command, store: Store, today: dt.date
) -> None:
    done = await command("extend", "hive.sales", "--date", f"{today}", "--to", "23:30", *WHY)
    assert done.code == 0
    assert f"has until 23:30 for {today}" in done.out
    rows = await store.connection.fetch(
        "select source, to_char(deadline_at at time zone d.timezone, 'HH24:MI') as clock"
        " from readiness.processed_log cross join readiness.deployment as d"
    )
    assert {row["source"]: row["clock"] for row in rows} == {"hive.sales": "23:30", "hive.stores": "18:00"}
    row = await store.connection.fetchrow("select * from readiness.audit")
    assert row["action"] == "extend"
    assert set(row["detail"]) == {"from", "state", "to"}


@pytest.mark.usefixtures("flow")
async def test_an_earlier_deadline_starts_the_flow_then(
    command: Command, store: Store, today: dt.date, eventually: Eventually
) -> None:
    soon = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=3)
    for source in ("hive.sales", "hive.stores"):
        done = await command("extend", source, "--date", f"{today}", "--to", soon.isoformat(), *WHY)
        assert done.code == 0, done.err
    assert await launches(store) == {}
    await eventually(lambda: launches(store), within=20)
    (launch,) = (await launches(store)).values()
    assert launch.by_deadline
    assert launch.decided_at is not None
    assert launch.decided_at >= soon


@pytest.mark.usefixtures("flow")
async def test_a_missed_source_is_waited_for_again_while_a_flow_has_not_been_launched(
    command: Command, store: Store, today: dt.date, add_flow: AddFlow, report: Do, eventually: Eventually
) -> None:
    await add_flow("alone", SALES, today)
    soon = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=1)
    await command("extend", "hive.sales", "--date", f"{today}", "--to", soon.isoformat(), *WHY)
    await eventually(lambda: is_state(store, "hive.sales", "missed"))
    assert list(await launches(store)) == [("hive.sales", today)]
    done = await command("extend", "hive.sales", "--date", f"{today}", "--to", "23:30", *WHY, "--json")
    assert (done.json["was"], done.json["waiting"]) == ("missed", ["both"])
    assert done.json["launched_before"] == ["alone"], "and it says that nothing changes for that one"
    await eventually(lambda: is_state(store, "hive.sales", "waiting"))
    now = dt.datetime.now(dt.timezone.utc)
    await report("hive.sales", now, today)
    await report("hive.stores", now, today)
    await eventually(lambda: is_launched(store, BOTH.text))
    known = await launches(store)
    assert known[BOTH.text, today].outcomes == {"hive.sales": Outcome.READY, "hive.stores": Outcome.READY}
    assert len(known) == 2, "never twice"


async def is_launched(store: Store, condition: str) -> bool:
    return condition in {text for text, _ in await launches(store)}


@pytest.mark.usefixtures("flow")
async def test_a_deadline_after_the_launch_changes_nothing_and_says_so(
    command: Command, store: Store, today: dt.date
) -> None:
    for source in ("hive.sales", "hive.stores"):
        await command("skip", source, "--date", f"{today}", *WHY)
    await store.connection.execute("update readiness.processed_log set by_hand = null")
    before = await audit(store)
    done = await command("extend", "hive.sales", "--date", f"{today}", "--to", "23:30", *WHY)
    assert done.code == 1
    assert "changes nothing: every flow that waits for it was launched" in done.err
    assert "airflow readiness rerun" in done.err
    assert await audit(store) == before
    assert await is_state(store, "hive.sales", "missed")


@pytest.mark.usefixtures("flow")
@pytest.mark.parametrize("first", ["mark-ready", "skip"])
async def test_what_was_said_by_hand_is_not_waited_for_longer(
    command: Command, today: dt.date, first: str
) -> None:
    await command(first, "hive.sales", "--date", f"{today}", *WHY)
    done = await command("extend", "hive.sales", "--date", f"{today}", "--to", "23:30", *WHY)
    assert done.code == 1
    assert "changes nothing: it is" in done.err


@pytest.mark.usefixtures("flow")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["skip", "hive.sale", "--date", "2026-01-01"], "did you mean hive.sales"),
        (["skip", "other.thing", "--date", "2026-01-01"], "A source is known once it has settings"),
        (["skip", "sales", "--date", "2026-01-01"], "write it as 'database.table'"),
        (["mark-ready", "hive.sales", "--date", "today"], "write it as YYYY-MM-DD"),
        (["mark-ready", "hive.sales", "--date", "2222-01-01"], "a month from now"),
        (["mark-ready", "hive.sales", "--date", "2026-01-01", "--reason", " "], "Say why"),
        (["extend", "hive.sales", "--date", "2026-01-01", "--to", "25:00"], "write HH:MM"),
        (["extend", "hive.sales", "--date", "2026-01-01", "--to", "2026-01-01T08:00"], "or an instant like"),
        (["extend", "hive.sales", "--date", "2026-01-01", "--to", "08:00"], "not within three days from now"),
    ],
)
async def test_what_cannot_be_meant_is_refused_in_one_sentence(
    command: Command, store: Store, arguments: list[str], says: str
) -> None:
    reason = [] if "--reason" in arguments else WHY
    done = await command(*arguments, *reason)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert done.err.count("\n") == 1
    assert await audit(store) == []
    done = await command(*arguments, *reason, "--json")
    assert says in done.json["error"]


async def test_while_no_processor_is_at_work_it_is_written_down_and_said_to_wait(
    command: Command, store: Store, today: dt.date, add_flow: AddFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_hand, "PATIENCE", 0.3)
    await add_flow("sales", SALES, today)
    done = await command("mark-ready", "hive.sales", "--date", f"{today}", *WHY, "--json")
    assert (done.code, done.json["applied"], done.json["waiting"]) == (0, False, ["sales"])
    assert len(await audit(store)) == 1
    await engine.tick(store)
    assert list(await launches(store)) == [("hive.sales", today)]


@pytest.mark.usefixtures("processor")
async def test_the_past_can_be_marked_too_after_its_window_was_closed(
    command: Command, store: Store, today: dt.date, add_flow: AddFlow, eventually: Eventually
) -> None:
    await add_flow("sales", SALES, today)
    day = today - dt.timedelta(days=9)
    await store.run("expect", "hive", "sales", day, None)
    state = "select state from readiness.processed_log where business_date = $1"

    async def is_now(wanted: str) -> bool:
        return bool(await store.connection.fetchval(state, day) == wanted)

    await eventually(lambda: is_now("missed"))
    done = await command("mark-ready", "hive.sales", "--date", f"{day}", *WHY, "--json")
    assert (done.json["was"], done.json["source"]["state"]) == ("missed", "late")
    assert await launches(store) == {}, "nobody asked for a flow"


@pytest.mark.parametrize("query", ["mark_ready", "skip", "extend"])
async def test_it_waits_for_a_step_that_is_under_way(
    store: Store, dsn: dict[str, Any], add_flow: AddFlow, today: dt.date, query: str
) -> None:
    """Else a launch could be decided while it is said that there was none."""
    await add_flow("sales", SALES, today)
    deadline = [dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)] if query == "extend" else []
    async with open_store(dsn) as other:
        async with store.connection.transaction():
            await store.run("serialise")
            said = asyncio.create_task(other.fetch(query, "hive", "sales", today, *deadline, "why", "eve"))
            done, _ = await asyncio.wait({said}, timeout=0.5)
            assert not done
        await said
