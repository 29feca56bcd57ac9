"""What Redis holds, and which launches are due by it."""

from __future__ import annotations

import datetime as dt

import pytest
from redis.asyncio import Redis

from airflow_readiness.core.condition import Condition, of_source
from airflow_readiness.core.document import Launch, load_launch, load_readiness
from airflow_readiness.core.names import launch_key, source_key
from airflow_readiness.core.state import Readiness, State
from airflow_readiness.signal import snapshot
from airflow_readiness.signal.snapshot import due_launches, is_marked, mark, write

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

DAY = dt.date(2026, 11, 22)
NOW = dt.datetime(2026, 11, 22, 6, tzinfo=dt.timezone.utc)
MINUTE = dt.timedelta(minutes=1)


def launch(
    name: str,
    *,
    decided_at: dt.datetime | None = None,
    due_at: dt.datetime | None = None,
    published_at: dt.datetime | None = None,
) -> Launch:
    return Launch(of_source(name), DAY, {}, decided_at=decided_at, due_at=due_at, published_at=published_at)


def waiting(name: str) -> Readiness:
    return Readiness(name, DAY, State.WAITING, NOW, 0, 1)


async def due(redis: Redis) -> list[Condition]:
    launches, broken = await due_launches(redis, NOW)
    assert not broken
    return [each.condition for each in launches]


async def test_a_launch_that_was_decided_is_due(redis: Redis) -> None:
    await write(redis, [], [launch("a.b", decided_at=NOW - MINUTE)])
    assert await due(redis) == [of_source("a.b")]


async def test_a_plan_is_due_from_its_deadline_on(redis: Redis) -> None:
    await write(redis, [], [launch("a.past", due_at=NOW - MINUTE), launch("a.now", due_at=NOW)])
    assert await due(redis) == [of_source("a.past"), of_source("a.now")]


async def test_a_plan_is_not_due_before_its_deadline(redis: Redis) -> None:
    await write(redis, [], [launch("a.b", due_at=NOW + dt.timedelta(microseconds=1))])
    assert await due(redis) == []


async def test_a_plan_without_a_known_deadline_is_not_due(redis: Redis) -> None:
    await write(redis, [], [launch("a.b")])
    assert await due(redis) == []


async def test_a_launch_that_was_published_is_not_due(redis: Redis) -> None:
    await write(redis, [], [launch("a.b", decided_at=NOW - MINUTE, due_at=NOW, published_at=NOW)])
    assert await due(redis) == []


async def test_what_nobody_has_decided_comes_first_then_what_was_decided_last(redis: Redis) -> None:
    plans = [launch(f"a.t{n}", due_at=NOW - n * MINUTE) for n in (3, 1, 4, 2)]
    decided = [launch(f"a.decided{n}", decided_at=NOW - n * MINUTE, due_at=NOW) for n in (2, 4, 1)]
    await write(redis, [], [*decided, *plans])
    assert [each.source for each in await due(redis)] == [
        *("a.t4", "a.t3", "a.t2", "a.t1"),
        *("a.decided1", "a.decided2", "a.decided4"),
    ]


async def test_a_launch_that_was_decided_is_a_signal_for_five_minutes(redis: Redis) -> None:
    await write(redis, [], [launch("a.b", decided_at=NOW)])
    assert 240 < await redis.ttl(launch_key("a.b", "2026-11-22")) <= 300


async def test_sources_are_no_launches(redis: Redis) -> None:
    await write(redis, [waiting("launch.b")], [])
    assert await due(redis) == []


@pytest.mark.parametrize("garbage", ["{", "[]", "{}", '{"condition": 1}', "\x00"])
async def test_a_broken_document_is_told_and_hides_no_other(redis: Redis, garbage: str) -> None:
    await write(redis, [], [launch("a.b", decided_at=NOW)])
    await redis.set("readiness:launch:broken:2026-11-22", garbage)
    launches, broken = await due_launches(redis, NOW)
    assert [each.condition.text for each in launches] == ["a.b"]
    assert len(broken) == 1
    assert "a launch" in broken[0]


async def test_a_key_of_another_type_hides_no_launch(redis: Redis) -> None:
    await write(redis, [], [launch("a.b", decided_at=NOW)])
    await redis.hset("readiness:launch:hash:2026-11-22", "field", "value")
    assert await due(redis) == [of_source("a.b")]


async def test_a_key_that_scan_names_twice_is_due_once(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    await write(redis, [], [launch("a.b", decided_at=NOW)])
    scan_iter = redis.scan_iter

    async def twice(match: str, count: int) -> object:
        for _ in range(2):
            async for key in scan_iter(match, count=count):
                yield key

    monkeypatch.setattr(redis, "scan_iter", twice)
    assert await due(redis) == [of_source("a.b")]


async def test_documents_are_written_in_any_number_and_live_for_a_while(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "_CHUNK", 100)
    names = [f"a.t{n}" for n in range(250)]
    await write(redis, map(waiting, names), [launch(name, due_at=NOW) for name in names])
    assert await redis.dbsize() == 500
    for name in names[0], names[-1]:
        key = source_key(name, "2026-11-22")
        assert load_readiness(await redis.get(key) or "") == waiting(name)
        assert snapshot.TTL - 60 < await redis.ttl(key) <= snapshot.TTL
        key = launch_key(name, "2026-11-22")
        assert load_launch(await redis.get(key) or "") == launch(name, due_at=NOW)
        assert snapshot.TTL - 60 < await redis.ttl(key) <= snapshot.TTL


async def test_the_mark_names_the_postgres_that_redis_was_written_from(redis: Redis) -> None:
    assert not await is_marked(redis, "one")
    await mark(redis, "one")
    assert await is_marked(redis, "one")
    assert not await is_marked(redis, "two")
    await redis.flushall()
    assert not await is_marked(redis, "one")
