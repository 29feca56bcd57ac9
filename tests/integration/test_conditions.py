"""Flows with conditions of their own times: launched to the instant, skipped for ever, explained alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis

from airflow_readiness import engine
from airflow_readiness.core.condition import Condition, Verdict, at_least, combine, of_source, timed
from airflow_readiness.core.document import Launch, load_launch
from airflow_readiness.core.names import launch_key
from airflow_readiness.core.state import Outcome
from airflow_readiness.engine import launch_of
from airflow_readiness.signal import snapshot
from airflow_readiness.store.store import Store

DAY = dt.date(2026, 11, 20)
MICROSECOND = dt.timedelta(microseconds=1)
A, B, C = (of_source(f"hive.{letter}") for letter in "abc")

Do = Callable[..., Awaitable[None]]


def at(clock: str, ahead: int = 0) -> dt.datetime:
    day = DAY + dt.timedelta(days=ahead)
    return dt.datetime.combine(day, dt.time.fromisoformat(clock), dt.timezone.utc)


def clock(text: str) -> dt.time:
    return dt.time.fromisoformat(text)


async def rest(store: Store, start: dt.datetime, until: dt.datetime) -> list[tuple[dt.datetime, Launch]]:
    """What a processor that nobody rings decides: it sleeps from wake to wake, and takes no full step."""
    found = []
    now = start
    while True:
        result = await engine.tick(store, now=now)
        found += [(now, launch) for launch in [*result.launched, *result.skipped]]
        assert result.wake_at is None or result.wake_at > now, "it would never sleep"
        if result.wake_at is None or result.wake_at > until:
            return found
        now = result.wake_at


async def decided(store: Store) -> list[tuple[str, str]]:
    rows = await store.connection.fetch("select * from readiness.launch order by business_date")
    return [(row["condition"], row["decision"]) for row in rows]


async def flow(store: Store, add_flow: Do, set_settings: Do, condition: Condition) -> None:
    """A flow on these sources, whose deadlines are 06:00, 07:00 and 08:00."""
    for number, name in enumerate(condition.sources):
        await set_settings(name, f"{6 + number:02}:00")
    await add_flow("flow", condition, DAY)
    await engine.tick(store, everything=True, now=at("00:00"))


async def test_two_of_three_launch_when_the_second_is_ready(
    store: Store, add_flow: Do, set_settings: Do, report: Do
) -> None:
    await flow(store, add_flow, set_settings, at_least(2, [A, B, C]))
    await report("hive.b", at("01:00"))
    assert (await engine.tick(store, now=at("01:00"))).launched == []
    await report("hive.c", at("02:00"))
    (launch,) = (await engine.tick(store, now=at("02:00"))).launched
    assert launch.outcomes == {"hive.a": Outcome.PENDING, "hive.b": Outcome.READY, "hive.c": Outcome.READY}
    assert launch.verdict is Verdict.READY


async def test_the_third_is_waited_for_as_long_as_the_grace_and_nobody_rings_at_its_end(
    store: Store, add_flow: Do, set_settings: Do, report: Do
) -> None:
    await flow(store, add_flow, set_settings, at_least(2, [A, B, C], 1800))
    await report("hive.b", at("01:00"))
    await report("hive.c", at("02:00"))
    ((when, launch),) = await rest(store, at("02:00"), at("05:59"))
    assert when == at("02:30")
    assert launch.outcomes["hive.a"] is Outcome.PENDING


async def test_the_third_ends_the_grace_by_being_ready_or_missed(
    store: Store, add_flow: Do, set_settings: Do, report: Do
) -> None:
    await flow(store, add_flow, set_settings, at_least(2, [A, B, C], 1800))
    for name in ("hive.b", "hive.c"):
        await report(name, at("05:50"))
    assert [when for when, _ in await rest(store, at("05:50"), at("09:00"))] == [at("06:00")], "a is missed"
    for name in ("hive.b", "hive.c"):
        await report(name, at("02:00", 1))
    await engine.tick(store, now=at("02:00", 1))
    await report("hive.a", at("02:10", 1))
    assert [each.business_date for each in (await engine.tick(store, now=at("02:10", 1))).launched] == [
        DAY + dt.timedelta(days=1)
    ]


async def test_it_is_launched_at_its_own_time_and_not_a_moment_before(
    store: Store, add_flow: Do, set_settings: Do, report: Do
) -> None:
    await flow(store, add_flow, set_settings, timed(A, not_before=clock("03:00")))
    await report("hive.a", at("01:00"))
    early = await engine.tick(store, now=at("01:00"))
    assert (early.launched, early.wake_at) == ([], at("03:00"))
    # a full step, as is taken every half minute
    assert (await engine.tick(store, everything=True, now=at("03:00") - MICROSECOND)).launched == []
    (launch,) = (await engine.tick(store, now=at("03:00"))).launched
    assert (launch.due_at, launch.verdict) == (at("03:00"), Verdict.READY)
    assert (await engine.tick(store, everything=True, now=at("03:00"))).launched == []


async def test_at_its_own_deadline_it_is_launched_with_what_there_is(
    store: Store, add_flow: Do, set_settings: Do, report: Do
) -> None:
    await flow(store, add_flow, set_settings, timed(combine("all", [A, B]), deadline=clock("05:30")))
    await report("hive.b", at("01:00"))
    ((when, launch),) = await rest(store, at("01:00"), at("12:00"))
    assert (when, launch.due_at) == (at("05:30"), at("05:30"))
    assert launch.by_deadline
    assert launch.outcomes == {"hive.a": Outcome.PENDING, "hive.b": Outcome.READY}


async def test_what_is_skipped_is_recorded_and_never_launched(
    store: Store, add_flow: Do, set_settings: Do, report: Do
) -> None:
    condition = timed(combine("all", [A, B]), deadline=clock("05:30"), on="skip")
    await flow(store, add_flow, set_settings, condition)
    await report("hive.b", at("01:00"))
    ((when, launch),) = await rest(store, at("01:00"), at("05:45"))
    assert (when, launch.verdict, launch.starts) == (at("05:30"), Verdict.SKIPPED, False)
    await report("hive.a", at("05:45"))
    later = await engine.tick(store, everything=True, now=at("05:45"))
    assert (later.launched, later.skipped, later.planned) == ([], [], [])
    assert await rest(store, at("05:45"), at("09:00")) == []
    assert await decided(store) == [(condition.text, "skipped")]
    assert await store.fetch("outbox", 10) == []
    assert await store.fetch("snapshot_launches") == []
    troubles = {row["kind"] for row in await store.fetch("troubles") if row["number"]}
    assert troubles <= {"overdue"}, "it is neither stuck nor held"
    (row,) = await store.fetch("launch", condition.text, DAY)
    assert row["decision"] == "skipped"
    assert launch_of(row).verdict is Verdict.SKIPPED


async def test_what_is_satisfied_in_time_is_not_skipped_although_everybody_slept(
    store: Store, add_flow: Do, set_settings: Do, report: Do
) -> None:
    await flow(store, add_flow, set_settings, timed(A, deadline=clock("05:30"), on="skip"))
    await report("hive.a", at("05:30"))
    await report("hive.a", at("05:30:00.000001", 1))
    result = await engine.tick(store, now=at("12:00", 1))
    assert [each.business_date for each in result.launched] == [DAY]
    assert [each.business_date for each in result.skipped] == [DAY + dt.timedelta(days=1)]


async def test_a_deadline_before_its_sources_are_read_strikes_when_the_first_of_them_is(
    store: Store, add_flow: Do, set_settings: Do
) -> None:
    await set_settings("hive.a", "20:00", "08:00")
    await set_settings("hive.b", "20:00", "09:00")
    await add_flow("flow", timed(combine("all", [A, B]), deadline=clock("05:30"), on="skip"), DAY)
    assert [when for when, _ in await rest(store, at("00:00"), at("19:00"))] == [at("08:00")]


async def test_a_night_window_ends_at_the_flows_deadline_of_the_same_date(
    store: Store, add_flow: Do, set_settings: Do, report: Do
) -> None:
    # the window of the 20th begins in the evening of the 19th; 22:00 is that of the 20th
    await set_settings("hive.a", "06:00", "20:00")
    await add_flow("flow", timed(A, not_before=clock("22:00")), DAY)
    await report("hive.a", at("21:00", -1))
    assert [(when, each.business_date) for when, each in await rest(store, at("21:00", -1), at("23:00"))] == [
        (at("22:00"), DAY)
    ]


async def test_its_times_are_those_of_the_deployment_also_when_the_clock_changes(
    store: Store, add_flow: Do, set_settings: Do, report: Do
) -> None:
    await store.run("set_deployment", "Europe/Berlin", dt.time(6))
    # 02:30 is skipped on the 29th and becomes 03:30; it is repeated on the 25th, and the second is meant
    for date, local in ((dt.date(2026, 3, 29), "01:30"), (dt.date(2026, 10, 25), "01:30")):
        expected = dt.datetime.combine(date, dt.time.fromisoformat(local), dt.timezone.utc)
        midnight = expected - dt.timedelta(hours=2, minutes=30)
        await set_settings("hive.a", "12:00")
        await add_flow(f"flow {date}", timed(A, not_before=clock("02:30")), date)
        await report("hive.a", midnight, date)
        found = await rest(store, midnight, expected + dt.timedelta(hours=3))
        assert [(when, each.business_date) for when, each in found] == [(expected, date)]
        await store.connection.execute("delete from readiness.flow; delete from readiness.processed_log")


async def test_settings_that_change_move_the_plan(
    store: Store, add_flow: Do, set_settings: Do, report: Do
) -> None:
    await flow(store, add_flow, set_settings, timed(combine("all", [A, B]), not_before=clock("06:30")))
    assert (await engine.tick(store, now=at("01:00"))).wake_at == at("06:00")
    await set_settings("hive.b", "05:00")
    await report("hive.a", at("01:00"))
    assert [when for when, _ in await rest(store, at("01:00"), at("12:00"))] == [at("06:30")]


async def test_a_plan_of_a_flow_that_is_gone_wakes_nobody_twice(
    store: Store, add_flow: Do, set_settings: Do
) -> None:
    await flow(store, add_flow, set_settings, timed(A, deadline=clock("05:30")))
    await store.connection.execute("update readiness.flow set gone_at = now()")
    assert await rest(store, at("05:00"), at("12:00")) == []
    assert await store.connection.fetchval("select count(*) from readiness.launch_plan") == 0


async def test_what_was_decided_leaves_no_plan(
    store: Store, add_flow: Do, set_settings: Do, report: Do
) -> None:
    await flow(store, add_flow, set_settings, timed(A, deadline=clock("05:30")))
    assert await store.connection.fetchval("select count(*) from readiness.launch_plan") == 1
    await report("hive.a", at("01:00"))
    assert len((await engine.tick(store, now=at("01:00"))).launched) == 1
    assert await store.connection.fetchval("select count(*) from readiness.launch_plan") == 0


async def test_sources_alone_need_no_plan(store: Store, add_flow: Do, set_settings: Do) -> None:
    await flow(store, add_flow, set_settings, combine("all", [A, at_least(2, [A, B, C])]))
    assert await store.connection.fetchval("select count(*) from readiness.launch_plan") == 0


async def test_a_plan_that_nobody_has_judged_is_overdue(store: Store) -> None:
    await store.connection.execute(
        "insert into readiness.launch_plan values ('hive.a.deadline(05:30)', $1, now() - interval '2 minutes')",
        DAY,
    )
    troubles = {
        row["kind"]: (row["number"], row["first"]) for row in await store.fetch("troubles") if row["first"]
    }
    assert troubles == {"overdue": (1, ["hive.a.deadline(05:30) for 2026-11-20"])}


async def test_the_collector_looks_up_when_a_plan_falls_due(store: Store) -> None:
    await store.connection.execute(
        "insert into readiness.launch_plan values ('a', $1, now() + interval '20 s'), ('b', $1, now())", DAY
    )
    (row,) = await store.fetch("next_deadline")
    assert 10 < row["seconds"] <= 20


async def test_redis_knows_what_is_planned_and_what_was_skipped(
    store: Store, redis: Redis, add_flow: Do, set_settings: Do
) -> None:
    condition = timed(A, deadline=clock("05:30"), on="skip")
    await flow(store, add_flow, set_settings, condition)
    key = launch_key(condition.text, DAY.isoformat())

    async def document() -> Any:
        return load_launch(await redis.get(key) or "")

    await engine.publish_snapshot(redis, await engine.tick(store, everything=True, now=at("01:00")))
    planned = await document()
    assert (planned.decided_at, planned.due_at, planned.verdict) == (None, at("05:30"), Verdict.SKIPPED)
    # by the plan, as it is left where Postgres has gone away
    assert await snapshot.due_launches(redis, at("05:30")) == ([], [])
    await engine.publish_snapshot(redis, await engine.tick(store, now=at("05:30")))
    skipped = await document()
    assert (skipped.decided_at, skipped.verdict) == (at("05:30"), Verdict.SKIPPED)
    assert await snapshot.due_launches(redis, at("05:31")) == ([], [])
