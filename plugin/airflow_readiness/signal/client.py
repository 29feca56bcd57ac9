"""A Redis client that tells of every failure at once.

redis-py repairs a lost connection in silence, and whatever was notified meanwhile is lost with it.
Here nothing is retried below: who holds the client sees the failure and reads the state anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import RedisError, ResponseError

# made once: to find its own version, redis-py reads files
_DRIVER: Final = DriverInfo()

#: Seconds after which a connection attempt, or a reply, is given up.
TIMEOUT: Final = 5.0

#: What a lost, refusing or hanging Redis raises.
REDIS_DOWN: Final = (RedisError, OSError, TimeoutError, asyncio.TimeoutError)

#: Keyspace notifications that are needed: strings, generic commands (DEL, EXPIRE), by key.
NEEDED_EVENTS: Final = "Kg$"


@asynccontextmanager
async def open_redis(options: dict[str, Any]) -> AsyncIterator[Redis]:
    """A client of its own, closed at the end. Connects when first used.

    :param options: what ``redis.asyncio.Redis`` takes
    """
    client = Redis(
        **options,
        driver_info=_DRIVER,
        decode_responses=True,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        yield client
    finally:
        await client.aclose()


def lacks_events(setting: str) -> bool:
    """Whether ``notify-keyspace-events`` of this value leaves out what is needed."""
    classes = set(setting)
    if "A" in classes:
        classes |= set("g$")
    return not set(NEEDED_EVENTS) <= classes


async def ensure_events(client: Redis) -> str | None:
    """Switch keyspace notifications on where that is allowed.

    :return: none if they are on, else what an operator has to do
    :raises redis.RedisError: if Redis cannot be reached
    """
    try:
        setting = (await client.config_get("notify-keyspace-events")).get("notify-keyspace-events") or ""
        if not lacks_events(setting):
            return None
        wanted = "".join(sorted(set(setting) | set(NEEDED_EVENTS)))
        await client.config_set("notify-keyspace-events", wanted)
        return None
    except ResponseError as error:
        return (
            f"Redis does not let us switch keyspace notifications on ({error}): have its "
            f"administrator set notify-keyspace-events to at least {NEEDED_EVENTS!r}. Unless they are on, "
            "readiness is read by a timer"
        )
