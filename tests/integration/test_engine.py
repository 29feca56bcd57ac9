"""One step of the whole: conditions are evaluated per date, each launches once, Redis says the same."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from redis.asyncio import Redis

from airflow_readiness import engine
from airflow_readiness.core.condition import Condition, combine, of_source
from airflow_readiness.core.document import Launch, load_launch, load_readiness
from airflow_readiness.core.names import launch_key, source_key
from airflow_readiness.core.state import Outcome, State
from airflow_readiness.signal import snapshot
from airflow_readiness.store.store import Store, open_store

DAY = dt.date(2026, 11, 20)
A, B = of_source("hive.a"), of_source("hive.b")
BOTH, EITHER = combine("all", [A, B]), combine("any", [A, B])

Do = Callable[..., Awaitable[None]]


def day(ahead: int) -> dt.date:
    return DAY + dt.timedelta(days=ahead)


def at(clock: str, ahead: int = 0) -> dt.datetime:
    return dt.datetime.combine(day(ahead), dt.time.fromisoformat(clock), dt.timezone.utc)


def pairs(launches: Iterable[Launch]) -> list[tuple[Condition, dt.date]]:
    return sorted(((each.condition, each.business_date) for each in launches), key=lambda pair: pair[1])


async def test_both_launches_for_a_date_when_both_are_ready_for_that_date(
    store: Store, report: Do, add_flow: Do
) -> None:
    await add_flow("flow", BOTH, day(0))
    for source in ("a", "b"):
        for ahead in range(3):
            await store.run("expect", "hive", source, day(ahead), at("23:00", 9))
    # a for the first and third date, b for the second: no date is complete
    for source, ahead in (("hive.a", 0), ("hive.b", 1), ("hive.a", 2)):
        await report(source, at("00:00", ahead), day(ahead))
    result = await engine.tick(store, now=at("01:00", 2))
    assert len([known for known in result.changed if known.state is State.READY]) == 3
    assert result.launched == []
    assert pairs(result.planned) == [(BOTH, day(0)), (BOTH, day(1)), (BOTH, day(2))]

    await report("hive.a", at("01:30", 2), day(1))
    assert pairs((await engine.tick(store, now=at("02:00", 2))).launched) == [(BOTH, day(1))]


async def test_either_launches_once_although_both_become_ready(
    store: Store, set_settings: Do, report: Do, add_flow: Do
) -> None:
    for source in ("hive.a", "hive.b"):
        await set_settings(source, "06:00")
    await add_flow("flow", EITHER, DAY)
    await report("hive.a", at("01:00"))
    (launch,) = (await engine.tick(store, now=at("01:00"))).launched
    assert launch.outcomes == {"hive.a": Outcome.READY, "hive.b": Outcome.PENDING}
    await report("hive.b", at("02:00"))
    later = await engine.tick(store, now=at("02:00"))
    assert ([known.source for known in later.changed], later.launched, later.planned) == (["hive.b"], [], [])


async def test_flows_that_wait_for_the_same_share_one_launch(
    store: Store, set_settings: Do, report: Do, add_flow: Do
) -> None:
    await set_settings("hive.a", "06:00")
    await add_flow("one", A, DAY)
    await add_flow("two", A, DAY)
    await report("hive.a", at("01:00"))
    assert pairs((await engine.tick(store, now=at("01:00"))).launched) == [(A, DAY)]
    assert await store.connection.fetchval("select count(*) from readiness.launch") == 1


async def test_two_steps_at_once_make_one_launch(
    store: Store, dsn: dict[str, Any], set_settings: Do, report: Do, add_flow: Do
) -> None:
    await set_settings("hive.a", "06:00")
    await add_flow("flow", A, DAY)
    await report("hive.a", at("01:00"))
    async with open_store(dsn) as other:
        results = await asyncio.gather(
            *(engine.tick(each, everything=True, now=at("01:00")) for each in (store, other))
        )
    assert sorted(len(result.launched) for result in results) == [0, 1]


async def test_at_the_deadline_it_launches_without_the_source(
    store: Store, set_settings: Do, report: Do, add_flow: Do
) -> None:
    await set_settings("hive.a", "06:00")
    await set_settings("hive.b", "07:00", log_count=2)
    await add_flow("flow", BOTH, DAY)
    await report("hive.a", at("01:00"))
    await report("hive.b", at("02:00"))
    early = await engine.tick(store, now=at("06:59:59"))
    assert (early.launched, early.wake_at) == ([], at("07:00"))
    (launch,) = (await engine.tick(store, now=at("07:00"))).launched
    assert launch.decided_at == at("07:00")
    assert launch.by_deadline


async def test_the_evidence_of_a_launch_holds_what_was_known_of_each_source(
    store: Store, set_settings: Do, report: Do, add_flow: Do
) -> None:
    await set_settings("hive.a", "06:00")
    await add_flow("flow", BOTH, DAY)
    await report("hive.a", at("01:00"))
    await engine.tick(store, now=at("06:00"))
    (row,) = await store.fetch("snapshot_launches")
    launch = engine.launch_of(row)
    a, b = launch.sources["hive.a"], launch.sources["hive.b"]
    assert launch.outcomes == {"hive.a": Outcome.READY, "hive.b": Outcome.DEADLINE}
    assert (a.ready_at, a.log_count, a.needed, a.configured) == (at("01:00"), 1, 1, True)
    assert (b.ready_at, b.log_count, b.deadline_at, b.configured) == (None, 0, at("06:00"), False)


async def test_a_flow_that_is_new_is_launched_by_what_was_ready_before(
    store: Store, set_settings: Do, report: Do, add_flow: Do
) -> None:
    await set_settings("hive.a", "06:00")
    await report("hive.a", at("01:00", -1))
    await engine.tick(store, now=at("01:00", -1))
    await report("hive.a", at("01:00"))
    await engine.tick(store, now=at("02:00"))
    await add_flow("flow", A, DAY)
    # yesterday was ready too, and is none of this flow's business
    assert pairs((await engine.tick(store, everything=True, now=at("03:00"))).launched) == [(A, DAY)]
    assert (await engine.tick(store, everything=True, now=at("03:00"))).launched == []


async def test_a_flow_that_is_new_in_the_evening_is_launched_for_today_although_the_night_has_begun(
    store: Store, set_settings: Do, report: Do, add_flow: Do
) -> None:
    await set_settings("hive.a", "06:00")
    await report("hive.a", at("01:00"))
    await engine.tick(store, now=at("02:00"))
    # b is new with its flow, and its window of tomorrow is open already
    await set_settings("hive.b", "06:00", "20:00")
    await add_flow("flow", BOTH, DAY)
    result = await engine.tick(store, everything=True, now=at("21:00"))
    assert pairs(result.launched) == [(BOTH, DAY)]
    assert pairs(result.planned) == [(BOTH, day(1))]


async def test_a_date_from_before_the_flow_launches_nothing_when_it_becomes_ready(
    store: Store, report: Do, add_flow: Do
) -> None:
    await add_flow("flow", A, DAY)
    await store.run("expect", "hive", "a", day(-1), at("23:00"))
    await report("hive.a", at("01:00"), day(-1))
    result = await engine.tick(store, now=at("02:00"))
    assert (day(-1), State.READY) in [(known.business_date, known.state) for known in result.changed]
    assert result.launched == []


async def test_many_half_ready_conditions_keep_none_back(store: Store, report: Do, add_flow: Do) -> None:
    await store.connection.execute("""
        insert into readiness.flow (dag_id, condition, expression, sources, first_date, paused, broken)
        select 'half_' || n, 'hive.h' || n || ' & hive.never',
               jsonb_build_object('all', array['hive.h' || n, 'hive.never']),
               array['hive.h' || n, 'hive.never'], '2026-11-20', false, false
        from generate_series(1, 600) as n;
        insert into readiness.fm_log (source_database, source_table, logged_at)
        select 'hive', 'h' || n, '2026-11-20 01:00+00' from generate_series(1, 600) as n;
    """)
    half = await engine.tick(store, everything=True, now=at("01:00"))
    assert (len(half.launched), len(half.planned)) == (0, 600)
    await add_flow("complete", BOTH, DAY)
    await report("hive.a", at("02:00"))
    await report("hive.b", at("02:00"))
    assert pairs((await engine.tick(store, now=at("02:00"))).launched) == [(BOTH, DAY)]


async def test_dates_that_were_slept_through_launch_from_the_flows_first_date_on(
    store: Store, set_settings: Do, add_flow: Do
) -> None:
    await set_settings("hive.a", "06:00")
    await add_flow("flow", A, day(-2))
    result = await engine.tick(store, now=at("07:00"))
    assert pairs(result.launched) == [(A, day(-2)), (A, day(-1)), (A, DAY)]


async def test_what_a_step_changed_reads_back_from_redis(
    store: Store, redis: Redis, set_settings: Do, report: Do, add_flow: Do
) -> None:
    await set_settings("hive.a", "06:00")
    await add_flow("one", A, DAY)
    await add_flow("both", BOTH, DAY)
    await report("hive.a", at("01:00"))
    result = await engine.tick(store, now=at("01:00"))
    await engine.publish_snapshot(redis, result)
    (launched,), (planned,) = result.launched, result.planned
    for known in result.changed:
        raw = await redis.get(source_key(known.source, "2026-11-20"))
        assert raw is not None
        assert load_readiness(raw) == known
    for launch in (launched, planned):
        raw = await redis.get(launch_key(launch.condition.text, "2026-11-20"))
        assert raw is not None
        assert load_launch(raw) == launch
        assert 0 < await redis.ttl(launch_key(launch.condition.text, "2026-11-20")) <= snapshot.TTL
    assert (planned.decided_at, planned.due_at) == (None, at("06:00"))


async def test_a_redis_that_came_back_empty_is_rebuilt_to_the_same_documents(
    store: Store, redis: Redis, report: Do, add_flow: Do, today: dt.date
) -> None:
    await store.connection.execute(
        "insert into readiness.processed_log (source_database, source_table, business_date, deadline_override)"
        " select 'hive', t, $1, now() + interval '3 hours' from unnest(array['a', 'b']) as t",
        today,
    )
    await add_flow("one", A, today)
    await add_flow("both", BOTH, today)
    await report("hive.a", await engine.clock(store) - dt.timedelta(minutes=1), today)
    await engine.publish_snapshot(redis, await engine.tick(store, everything=True))
    keys = sorted(await redis.keys("readiness:*"))
    before = dict(zip(keys, await redis.mget(keys), strict=True))
    assert launch_key(A.text, today.isoformat()) in before
    (deployment,) = await store.fetch("deployment")

    await redis.flushall()
    assert not await snapshot.is_marked(redis, deployment["id"])
    count = await engine.rebuild_snapshot(store, redis)
    assert await snapshot.is_marked(redis, deployment["id"])
    assert count == len(before)
    for key, document in before.items():
        assert json.loads(await redis.get(key) or "null") == json.loads(document or ""), key


async def test_a_rebuild_launches_what_nobody_has_launched_yet(
    store: Store, redis: Redis, report: Do, add_flow: Do, today: dt.date
) -> None:
    await store.run("expect", "hive", "a", today, await engine.clock(store) + dt.timedelta(hours=3))
    await report("hive.a", await engine.clock(store), today)
    await store.fetch("advance", None)
    await add_flow("one", A, today)
    await engine.rebuild_snapshot(store, redis)
    raw = await redis.get(launch_key(A.text, today.isoformat()))
    assert raw is not None
    assert load_launch(raw).decided_at is not None
    assert await store.connection.fetchval("select count(*) from readiness.launch") == 1


async def test_what_was_expected_a_moment_ago_is_planned_with_its_deadline_or_not_yet(
    store: Store, redis: Redis, add_flow: Do
) -> None:
    await add_flow("flow", A, day(0))
    await engine.tick(store, now=at("01:00"))
    await store.connection.execute("update readiness.flow set first_date = $1", day(-1))
    await store.run("expect", "hive", "a", day(-1), at("23:00"))
    await engine.rebuild_snapshot(store, redis)
    assert await redis.get(launch_key("hive.a", day(-1).isoformat())) is None

    (planned,) = (await engine.tick(store, now=at("01:00"))).planned
    assert (planned.business_date, planned.due_at) == (day(-1), at("23:00"))


async def test_a_change_of_long_ago_is_evaluated_by_a_full_step_too(
    store: Store, add_flow: Do, report: Do, today: dt.date
) -> None:
    long_ago = today - dt.timedelta(days=100)
    now = await engine.clock(store)
    await add_flow("flow", of_source("hive.a"), long_ago)
    await store.run("expect", "hive", "a", long_ago, now + dt.timedelta(hours=1))
    await report("hive.a", now, long_ago)
    result = await engine.tick(store, everything=True)
    assert long_ago in [launch.business_date for launch in result.launched]
