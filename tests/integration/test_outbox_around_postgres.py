"""What a worker finds due when its session with Postgres is lost, or Postgres is away altogether."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import asyncpg
import pytest
from redis.asyncio import Redis

from airflow_readiness import outbox
from airflow_readiness.config import Config, Endpoints
from airflow_readiness.core.condition import of_source
from airflow_readiness.core.document import Launch, load_launch
from airflow_readiness.core.names import launch_key
from airflow_readiness.core.state import Outcome, Readiness, State
from airflow_readiness.demo.servers import free_port
from airflow_readiness.outbox import Due
from airflow_readiness.signal import snapshot
from airflow_readiness.store.store import Store

pytestmark = pytest.mark.usefixtures("nothing_left_behind")

Recorded = Callable[[Launch, dt.datetime], "dt.datetime | None"]
Do = Callable[..., Awaitable[None]]


def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


def nothing(_launch: Launch, _since: dt.datetime) -> None:
    return None


def plan(name: str, day: dt.date, ago: float) -> Launch:
    """A launch that fell due some seconds ago, and that nobody has decided."""
    due_at = now() - dt.timedelta(seconds=ago)
    known = Readiness(name, day, State.WAITING, due_at, 0, 1)
    return Launch(of_source(name), day, {name: known}, due_at=due_at)


async def find(settings: Config, endpoints: Endpoints, recorded: Recorded = nothing) -> Due:
    return await outbox.due(settings, endpoints, [], recorded)


def away(endpoints: Endpoints) -> Endpoints:
    return dataclasses.replace(endpoints, postgres={"host": "127.0.0.1", "port": free_port(), "user": "x"})


async def test_a_session_that_is_ended_is_begun_anew(
    store: Store,
    redis: Redis,
    settings: Config,
    endpoints: Endpoints,
    add_flow: Do,
    today: dt.date,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await snapshot.write(redis, [], [plan("hive.redis", today, 60)])
    sessions = []
    launches = outbox._launches

    async def ended_once(used: Store, *arguments: object) -> list[Launch]:
        sessions.append(used.connection.get_server_pid())
        if len(sessions) == 1:
            await store.connection.execute("select pg_terminate_backend($1, 5000)", sessions[0])
        return await launches(used, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(outbox, "_launches", ended_once)
    found = await find(settings, endpoints)
    assert (len(sessions), found.launches) == (2, []), "Redis was asked although Postgres is there"


async def test_without_postgres_it_is_what_redis_planned_and_airflow_has_not_recorded(
    redis: Redis, settings: Config, endpoints: Endpoints, today: dt.date
) -> None:
    await snapshot.write(redis, [], [plan(f"hive.t{n}", today, 60 + n) for n in range(3)])
    at = now()

    def recorded(launch: Launch, _since: dt.datetime) -> dt.datetime | None:
        return at if launch.condition.text == "hive.t1" else None

    found = await find(settings, away(endpoints), recorded)
    assert [each.condition.text for each in found.launches] == ["hive.t2", "hive.t0"]
    assert all(each.decided_at and each.by_deadline for each in found.launches)
    assert found.launches[0].outcomes == {"hive.t2": Outcome.DEADLINE}
    published = load_launch(await redis.get(launch_key("hive.t1", today.isoformat())) or "")
    assert published.published_at == at


async def test_what_airflow_does_not_tell_is_not_published(
    redis: Redis, settings: Config, endpoints: Endpoints, today: dt.date, caplog: pytest.LogCaptureFixture
) -> None:
    await snapshot.write(redis, [], [plan("hive.t", today, 60)])

    def broken(_launch: Launch, _since: dt.datetime) -> None:
        raise RuntimeError("500 Internal Server Error")

    assert (await find(settings, away(endpoints), broken)).launches == []
    assert "Airflow does not say whether hive.t was published" in caplog.text


async def test_a_deadline_does_not_wait_until_airflow_was_asked_about_all_that_was_launched(
    redis: Redis, settings: Config, endpoints: Endpoints, today: dt.date, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dt.date] = []
    clock = [0.0]

    def slow(launch: Launch, since: dt.datetime) -> dt.datetime | None:
        clock[0] += 2
        if launch.condition.text == "hive.new":
            return None
        asked.append(launch.business_date)
        return since

    monkeypatch.setattr(outbox, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    old = [Launch(of_source("hive.old"), today - dt.timedelta(days=n), {}, decided_at=now()) for n in range(20)]
    await snapshot.write(redis, [], [*old, plan("hive.new", today, 1)])
    nowhere = away(endpoints)
    for turn in range(1, 20):
        found = await find(settings, nowhere, slow)
        assert [each.condition.text for each in found.launches] == ["hive.new"]
        assert len(asked) <= 3 * turn
    assert sorted(asked) == sorted(each.business_date for each in old), "each is asked about once"


async def test_redis_that_goes_away_while_airflow_is_asked_holds_nothing_up(
    redis: Redis, settings: Config, endpoints: Endpoints, today: dt.date
) -> None:
    await snapshot.write(redis, [], [plan("hive.new", today, 1), plan("hive.old", today, 9)])
    nowhere = away(endpoints)

    def recorded(launch: Launch, since: dt.datetime) -> dt.datetime | None:
        nowhere.redis.update(port=free_port())
        return since if launch.condition.text == "hive.old" else None

    found = await find(settings, nowhere, recorded)
    assert [each.condition.text for each in found.launches] == ["hive.new"]


async def test_without_both_nothing_is_due_and_nothing_is_raised(
    settings: Config, endpoints: Endpoints, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = Endpoints(away(endpoints).postgres, {"host": "127.0.0.1", "port": free_port(), "db": 0})
    assert await find(settings, nowhere) == Due()
    assert "Postgres cannot be read" in caplog.text
    assert "Redis cannot be read either" in caplog.text


async def test_a_schema_that_is_missing_is_told(
    dsn: dict[str, object],
    settings: Config,
    endpoints: Endpoints,
    caplog: pytest.LogCaptureFixture,
) -> None:
    connection = await asyncpg.connect(**dsn)
    await connection.execute("drop schema readiness cascade")
    await connection.close()
    await find(settings, endpoints)
    assert "airflow readiness db upgrade" in caplog.text
