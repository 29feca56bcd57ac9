"""Switching keyspace notifications on, where that is allowed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from redis.exceptions import ResponseError

#: Keyspace notifications that are needed: strings, generic commands (DEL, EXPIRE), by key.
NEEDED_EVENTS: Final = "Kg$"

SETTING: Final = "notify-keyspace-events"


def lacks_events(setting: str) -> bool:
    """Whether ``notify-keyspace-events`` of this value leaves out what is needed."""
    classes = set(setting)
    if "A" in classes:
        classes |= set("g$")
    return not set(NEEDED_EVENTS) <= classes


async def ensure_events(ask: Callable[..., Awaitable[Any]]) -> str:
    """Switch keyspace notifications on where that is allowed.

    :param ask: sends one command to a server, and returns its reply as it came
    :return: why it could not be done, or looked at; empty if they are on
    :raises redis.RedisError: if Redis cannot be reached
    """
    try:
        reply = await ask("CONFIG", "GET", SETTING)
        # a map by RESP3; by RESP2 a list of names and values
        values = list(reply.values()) if isinstance(reply, dict) else reply[1::2]
        setting = values[0] if values else ""
        if lacks_events(setting):
            await ask("CONFIG", "SET", SETTING, "".join(sorted(set(setting) | set(NEEDED_EVENTS))))
    except ResponseError as error:
        return str(error).partition(", with args")[0]
    return ""
