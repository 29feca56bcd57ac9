"""One connection that hears of changes and reads: each reply goes to who asked, whatever comes between."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from airflow_readiness.config import Endpoints
from airflow_readiness.demo.servers import RedisServer
from airflow_readiness.signal import client as client_module
from airflow_readiness.signal.client import REDIS_DOWN, open_server
from airflow_readiness.signal.line import Line, open_line
from airflow_readiness_triggers import hub as hub_module
from airflow_readiness_triggers.hub import open_hub
from airflow_readiness_triggers.tasks import stop
from tests.integration.own_postgres import frozen

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

Eventually = Callable[..., Awaitable[Any]]


class Heard:
    """A line that listens, and what it heard."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.keys: list[str] = []
        self.task = asyncio.create_task(line.listen(self._heard, 5))

    def _heard(self, keys: set[str] | None) -> None:
        self.keys += sorted(keys or ())


@contextlib.asynccontextmanager
async def listening(options: dict[str, Any]) -> AsyncIterator[Heard]:
    async with open_line(options, 3) as line:
        await line.psubscribe("__keyspace@0__:readiness:*")
        heard = Heard(line)
        try:
            yield heard
        finally:
            await stop(heard.task)


@pytest_asyncio.fixture
async def heard(endpoints: Endpoints, redis: Redis) -> AsyncIterator[Heard]:
    await redis.config_set("notify-keyspace-events", "Kg$")
    async with listening(endpoints.redis) as made:
        yield made


async def test_it_reads_while_it_hears(heard: Heard, redis: Redis, eventually: Eventually) -> None:
    keys = [f"readiness:a.t{number}:2026-11-22" for number in range(200)]

    async def write() -> None:
        for key in keys:
            await redis.set(key, key)

    async def read() -> None:
        for key in keys:
            # it is written at some time, and nothing else is ever read
            while (values := await heard.line.read([key, "readiness:none"])) != [key, None]:
                assert values == [None, None]

    await asyncio.gather(write(), read())
    assert await heard.line.read(keys) == keys
    await eventually(lambda: sorted(heard.keys) == sorted(keys))


async def test_each_of_many_that_ask_at_once_gets_its_own(heard: Heard, redis: Redis) -> None:
    await redis.mset({f"readiness:{number}": str(number) for number in range(100)})
    answers = await asyncio.gather(*(heard.line.read([f"readiness:{number}"]) for number in range(100)))
    assert answers == [[str(number)] for number in range(100)]


async def test_who_gives_up_does_not_leave_his_reply_to_the_next(heard: Heard, redis: Redis) -> None:
    await redis.mset({f"readiness:{number}": str(number) for number in range(20)})
    for number in range(20):
        asking = asyncio.create_task(heard.line.read([f"readiness:{number}"]))
        for _ in range(number % 4):
            await asyncio.sleep(0)
        await stop(asking)
        assert await heard.line.read(["readiness:0", "readiness:7"]) == ["0", "7"]


async def test_what_redis_refuses_is_told_to_who_asked_and_ends_nothing(
    own_redis: RedisServer, eventually: Eventually
) -> None:
    options = {"host": "127.0.0.1", "port": own_redis.port}
    async with open_server(options) as admin:
        acl: Any = admin
        await acl.execute_command(*"ACL SETUSER engine on >secret ~readiness:* &* +@all -mget".split())
        await admin.config_set("notify-keyspace-events", "Kg$")
        async with listening({**options, "username": "engine", "password": "secret"}) as heard:
            with pytest.raises(ResponseError, match="mget"):
                await heard.line.read(["readiness:a"])
            await acl.execute_command(*"ACL SETUSER engine +mget".split())
            assert await heard.line.read(["readiness:a"]) == [None]
            await admin.set("readiness:a", "")
            await eventually(lambda: heard.keys == ["readiness:a"])


async def test_what_is_no_string_is_no_document(heard: Heard, redis: Redis) -> None:
    list_: Any = redis
    await list_.rpush("readiness:list", "one")
    assert await heard.line.read(["readiness:list"]) == [None]


async def test_a_redis_that_hangs_is_given_up(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening({"host": "127.0.0.1", "port": own_redis.port}) as heard:
        assert await heard.line.read(["readiness:a"]) == [None]
        monkeypatch.setattr(client_module, "TIMEOUT", 0.2)
        assert own_redis.process
        with frozen([own_redis.process.pid]), pytest.raises(TimeoutError, match="did not answer"):
            await heard.line.read(["readiness:a"])
        # its answer comes after all, and is nobody's
        monkeypatch.undo()
        assert await heard.line.read(["readiness:a", "readiness:b"]) == [None, None]


async def test_a_lost_connection_is_told_and_not_repaired_in_silence(own_redis: RedisServer) -> None:
    async with listening({"host": "127.0.0.1", "port": own_redis.port}) as heard:
        assert await heard.line.read(["readiness:a"]) == [None]
        await asyncio.to_thread(own_redis.stop)
        await asyncio.to_thread(own_redis.start)
        await asyncio.wait({heard.task}, timeout=5)
        with pytest.raises(REDIS_DOWN):
            heard.task.result()


async def test_a_notification_in_the_midst_of_a_reply_is_no_document(
    own_redis: RedisServer, dsn: dict[str, Any], eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the Redis of the wheel is older than 7.0.12; an administrator has switched all notifications on
    monkeypatch.setattr(hub_module, "REREAD", 0.2)
    endpoints = Endpoints(dsn, {"host": "127.0.0.1", "port": own_redis.port})
    first, gone, last = (f"readiness:hive.{name}:2026-11-22" for name in ("first", "gone", "last"))
    async with open_server(endpoints.redis) as admin:
        acl: Any = admin
        await admin.config_set("notify-keyspace-events", "KEA")
        # it goes when it is read
        await acl.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        await admin.mset({first: "first", last: "last"})
        async with listening(endpoints.redis) as heard:
            await admin.set(gone, "gone", px=1)
            await asyncio.sleep(0.01)
            with pytest.raises(RedisError, match="not what it was asked for"):
                await heard.line.read([first, gone, last])
        async with open_hub(endpoints) as hub, hub.watch([first, gone, last]) as watch:
            await eventually(lambda: list(watch.documents().values()) == ["first", None, "last"])
            await admin.set(gone, "again", px=50)
            await eventually(lambda: hub.reconnects)
            await eventually(lambda: list(watch.documents().values()) == ["first", None, "last"])
            await admin.set(gone, "and again")
            await eventually(lambda: list(watch.documents().values()) == ["first", "and again", "last"])
