"""A source that is not due on a date: shown as such, waited for by nobody, and satisfied where it is alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from airflow_readiness import engine
from airflow_readiness.core.condition import Condition, Moment, Verdict, at_least, combine, of_source, timed
from airflow_readiness.core.document import load_launch, load_readiness
from airflow_readiness.core.explain import explain
from airflow_readiness.core.names import launch_key, source_key
from airflow_readiness.core.state import Outcome, State
from airflow_readiness.store.store import Store

Do = Callable[..., Awaitable[None]]
Advance = Callable[..., Awaitable[dict[tuple[str, dt.date], str]]]

#: A Saturday.
DAY = dt.date(2026, 11, 21)
A, B, C = (of_source(f"hive.{letter}") for letter in "abc")
BOTH, EITHER = combine("all", [A, B]), combine("any", [A, B])


def at(clock: str, ahead: int = 0) -> dt.datetime:
    day = DAY + dt.timedelta(days=ahead)
    return dt.datetime.combine(day, dt.time.fromisoformat(clock), dt.timezone.utc)


@pytest.fixture
def set_calendar(store: Store) -> Do:
    async def set_(source: str, calendar: str) -> None:
        await store.connection.execute(
            "select readiness.set_source_options($1, $2, calendar => $3)", *source.split("."), calendar
        )

    return set_


async def state(store: Store, source: str = "hive.a") -> str:
    query = "select state from readiness.processed_log where source = $1 and business_date = $2"
    return str(await store.connection.fetchval(query, source, DAY))


async def test_it_is_not_due_from_the_beginning_of_its_window_on(
    store: Store, set_settings: Do, set_calendar: Do, advance: Advance
) -> None:
    await set_settings("hive.a", "06:00", "20:00")
    await set_calendar("hive.a", "mon-fri")
    await store.run("expect", "hive", "a", DAY, None)
    await advance(at("19:59", -1))
    assert await state(store) == "waiting", "nothing is known of that day yet"
    (wake,) = await store.fetch("next_wake", at("19:59", -1))
    assert wake["wake_at"] == at("20:00", -1)
    assert (await advance(at("20:00", -1)))["hive.a", DAY] == "not_due"
    assert await advance(at("06:00")) == {}, "it has no deadline"
    # on Monday it is due again
    assert (await advance(at("20:00", 1)))["hive.a", DAY + dt.timedelta(days=2)] == "waiting"


async def test_a_calendar_that_changes_while_it_waits_takes_effect_at_once(
    store: Store, set_settings: Do, set_calendar: Do, advance: Advance
) -> None:
    await set_settings("hive.a", "06:00")
    await advance(at("01:00"))
    for calendar, expected in (("mon-fri", "not_due"), ("sat", "waiting"), ("sun", "not_due")):
        await set_calendar("hive.a", calendar)
        await advance(at("02:00"))
        assert await state(store) == expected
    # its deadline has passed meanwhile
    await set_calendar("hive.a", "daily")
    await advance(at("07:00"))
    assert await state(store) == "missed"
    await set_calendar("hive.a", "mon-fri")
    await advance(at("07:00"))
    assert await state(store) == "missed", "what was missed was missed"


async def test_what_comes_on_a_day_on_which_nobody_waited_is_ready_and_never_late(
    store: Store, set_settings: Do, set_calendar: Do, advance: Advance, report: Do
) -> None:
    await set_settings("hive.a", "06:00")
    await set_calendar("hive.a", "mon-fri")
    await advance(at("01:00"))
    await report("hive.a", at("09:00"))
    await advance(at("09:00"))
    (row,) = await store.connection.fetch("select * from readiness.processed_log")
    assert (row["state"], row["ready_at"], row["missed_at"]) == ("ready", at("09:00"), None)


async def test_it_has_no_event_of_its_own(
    store: Store, set_settings: Do, set_calendar: Do, advance: Advance
) -> None:
    await set_settings("hive.a", "06:00")
    await set_calendar("hive.a", "mon-fri")
    await advance(at("01:00"))
    assert await store.fetch("lineage", 10, ["hive.a"]) == []


@pytest.mark.parametrize(
    ("condition", "ready", "launched"),
    [
        # a is left out
        (BOTH, [], "07:00"),
        (BOTH, ["hive.b"], "02:00"),
        (EITHER, [], "07:00"),
        (EITHER, ["hive.b"], "02:00"),
        (at_least(2, [A, B, C]), ["hive.b"], "08:00"),
        (at_least(2, [A, B, C]), ["hive.b", "hive.c"], "02:00"),
        # alone it is satisfied
        (A, [], "00:00"),
        (timed(A, not_before=dt.time(3)), [], "03:00"),
        (timed(A, deadline=dt.time(3), on="skip"), [], "00:00"),
    ],
)
async def test_a_flow_does_not_wait_for_it(
    store: Store,
    set_settings: Do,
    set_calendar: Do,
    report: Do,
    add_flow: Do,
    condition: Condition,
    ready: list[str],
    launched: str,
) -> None:
    for number, name in enumerate(condition.sources):
        await set_settings(name, f"{6 + number:02}:00")
    await set_calendar("hive.a", "mon-fri")
    await add_flow("flow", condition, DAY)
    for name in ready:
        await report(name, at("02:00"))
    now, found = at("00:00"), []
    while now < at("10:00"):
        result = await engine.tick(store, everything=now == at("00:00"), now=now)
        found += [(now, launch) for launch in result.launched]
        # the log rows ring
        wakes = [wake for wake in (result.wake_at, at("02:00")) if wake and wake > now]
        now = min(wakes, default=at("10:00"))
    ((when, launch),) = found
    assert when == at(launched)
    assert launch.outcomes["hive.a"] is Outcome.NOT_DUE
    if ready == list(condition.sources)[1:]:
        assert launch.verdict is Verdict.READY


async def test_redis_says_so_and_why_does(
    store: Store, redis: Redis, set_settings: Do, set_calendar: Do, add_flow: Do
) -> None:
    await set_settings("hive.a", "06:00")
    await set_settings("hive.b", "07:00")
    await set_calendar("hive.a", "mon-fri")
    await add_flow("flow", BOTH, DAY)
    await engine.publish_snapshot(redis, await engine.tick(store, everything=True, now=at("01:00")))
    known = load_readiness(await redis.get(source_key("hive.a", DAY.isoformat())) or "")
    assert known.state is State.NOT_DUE
    planned = load_launch(await redis.get(launch_key(BOTH.text, DAY.isoformat())) or "")
    assert planned.due_at == at("07:00")
    moment = Moment(at("01:00"), DAY, "UTC")
    assert explain(BOTH, planned.sources, moment) == ["hive.b (0 of 1 logs, deadline 07:00 UTC)"]
    one_of: Any = explain(combine("any", [B, combine("all", [A, C])]), planned.sources, moment)
    assert "hive.a (not due on this date)" in one_of[0]
