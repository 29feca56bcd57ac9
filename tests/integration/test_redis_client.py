"""The client tells of every failure at once, and switches keyspace notifications on."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from airflow_readiness.config import Endpoints
from airflow_readiness.demo.servers import RedisServer, embedded_redis, free_port
from airflow_readiness.signal import client as client_module
from airflow_readiness.signal.client import REDIS_DOWN, open_redis, open_server
from airflow_readiness.signal.events import ensure_events, lacks_events
from airflow_readiness.signal.line import open_line

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")


@pytest.mark.parametrize("setting", ["Kg$", "KEA", "AK", "$gxKE"])
def test_settings_that_name_all_needed_events_lack_nothing(setting: str) -> None:
    assert not lacks_events(setting)


@pytest.mark.parametrize("setting", ["", "K", "EA", "Kg", "K$", "g$", "Kx"])
def test_settings_without_keys_strings_or_generic_commands_lack_events(setting: str) -> None:
    assert lacks_events(setting)


async def setting_of(redis: Redis) -> str:
    return (await redis.config_get("notify-keyspace-events"))["notify-keyspace-events"] or ""


async def ensured(endpoints: Endpoints) -> str:
    async with open_line(endpoints.redis) as line:
        return await ensure_events(line.ask)


async def test_notifications_that_are_off_are_switched_on(redis: Redis, endpoints: Endpoints) -> None:
    await redis.config_set("notify-keyspace-events", "")
    assert await ensured(endpoints) == ""
    assert not lacks_events(await setting_of(redis))


async def test_what_others_switched_on_stays_on(redis: Redis, endpoints: Endpoints) -> None:
    await redis.config_set("notify-keyspace-events", "Ex")
    assert await ensured(endpoints) == ""
    assert {"E", "x", "K", "g", "$"} <= set(await setting_of(redis))


async def test_notifications_that_are_on_are_left_as_they_are(redis: Redis, endpoints: Endpoints) -> None:
    await redis.config_set("notify-keyspace-events", "KEA")
    before = await redis.config_get("notify-keyspace-events")
    assert await ensured(endpoints) == ""
    assert await redis.config_get("notify-keyspace-events") == before


async def test_a_redis_that_forbids_config_says_why(tmp_path: Path) -> None:
    with embedded_redis(tmp_path, free_port(), "--rename-command", "CONFIG", "") as server:
        async with open_line({"host": "127.0.0.1", "port": server.port}) as line:
            assert await ensure_events(line.ask) == "unknown command `CONFIG`"


async def test_a_redis_that_is_gone_is_no_reason_but_an_error(own_redis: RedisServer) -> None:
    async with open_line({"host": "127.0.0.1", "port": own_redis.port}) as line:
        assert await line.ask("PING") == "PONG"
        await asyncio.to_thread(own_redis.stop)
        with pytest.raises(RedisConnectionError):
            await ensure_events(line.ask)


async def test_a_lost_connection_is_told_and_not_repaired_in_silence(
    redis: Redis, endpoints: Endpoints
) -> None:
    async with open_server(endpoints.redis) as client:
        await redis.client_kill_filter(_id=str(await client.client_id()))
        with pytest.raises(REDIS_DOWN):
            await client.ping()
        assert await client.ping(), "the next use connects anew"


async def test_a_redis_that_hangs_is_given_up(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "TIMEOUT", 0.3)
    assert own_redis.process
    async with open_redis({"host": "127.0.0.1", "port": own_redis.port}) as client:
        await client.ping()
        own_redis.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(REDIS_DOWN):
                await asyncio.wait_for(client.ping(), 5)
        finally:
            own_redis.process.send_signal(signal.SIGCONT)


async def test_the_connection_is_closed_at_the_end(redis: Redis, endpoints: Endpoints, eventually: Any) -> None:
    async with open_server(endpoints.redis) as client:
        number = str(await client.client_id())
        assert number in {each["id"] for each in await redis.client_list()}

    async def gone() -> bool:
        return number not in {each["id"] for each in await redis.client_list()}

    await eventually(gone)
