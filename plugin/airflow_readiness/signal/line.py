"""One connection to one server, on which the names of changed keys come in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio.client import PubSub

from airflow_readiness.signal import client as client_module
from airflow_readiness.signal.client import open_server

#: Keys that are taken in before they are passed on.
_CHUNK: Final = 5000


@asynccontextmanager
async def open_line(options: dict[str, Any]) -> AsyncIterator[Line]:
    """A connection of its own, closed at the end.

    :param options: what ``redis.asyncio.Redis`` takes
    """
    # RESP2: there what CLIENT TRACKING redirects is an ordinary message
    async with open_server(options, protocol=2) as server:
        pubsub: Any = server.pubsub()
        try:
            yield Line(pubsub)
        finally:
            await pubsub.aclose()


class Line:
    """Asks first, then listens: once subscribed, it can no longer ask."""

    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub

    async def ask(self, *command: str | int) -> Any:
        """The reply to a command, as it came."""
        await self._pubsub.execute_command(*command)
        # a reply that is nothing, and none, are the same here: nobody asks for nothing
        reply = await self._pubsub.parse_response(block=False, timeout=client_module.TIMEOUT)
        if reply is None:
            raise TimeoutError(f"Redis did not answer {command[0]}")
        return reply

    async def psubscribe(self, pattern: str) -> None:
        """Subscribe to a pattern, and wait for the acknowledgement."""
        await self._pubsub.psubscribe(pattern)
        await self._acknowledged()

    async def subscribe(self, channel: str) -> None:
        """Subscribe to a channel, and wait for the acknowledgement."""
        await self._pubsub.subscribe(channel)
        await self._acknowledged()

    async def _acknowledged(self) -> None:
        message = await self._pubsub.get_message(timeout=client_module.TIMEOUT)
        if not message or message["type"] not in ("psubscribe", "subscribe"):
            raise TimeoutError("Redis did not acknowledge the subscription")

    async def hears_of(self, key: str, within: float) -> bool:
        """Whether both that a key was set and that it was deleted is heard, in so many seconds."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        events: set[str] = set()
        while (left := until - loop.time()) > 0:
            message = await self._pubsub.get_message(timeout=left)
            if message is None or key not in (_keys(message) or ()):
                continue
            # CLIENT TRACKING tells of both in one
            events |= {"set", "del"} if message["type"] == "message" else {message["data"]}
            if events >= {"set", "del"}:
                return True
        return False

    async def listen(self, heard: Callable[[set[str] | None], None], silence: float) -> None:
        """Go on until cancelled.

        :param heard: is told the keys that may have changed, or none: then any may have
        :param silence: seconds without a word after which a PING is sent; as many again without an
            answer end it
        :raises REDIS_DOWN: when the connection is lost, or silent
        """
        silent = False
        while True:
            message = await self._pubsub.get_message(timeout=silence)
            if message is None:
                if silent:
                    raise TimeoutError(f"Redis has not answered a PING for {silence:g} s")
                silent = True
                await self._pubsub.ping()
                continue
            silent = False
            keys: set[str] = set()
            everything = False
            while message is not None and len(keys) < _CHUNK:
                more = _keys(message)
                everything = everything or more is None
                keys.update(more or ())
                message = await self._pubsub.get_message(timeout=0)
            if keys or everything:
                heard(None if everything else keys)


def _keys(message: dict[str, Any] | None) -> set[str] | None:
    """The keys that a message tells of; none if it tells that all are gone (FLUSHALL, by tracking)."""
    if message is None:
        return set()
    if message["type"] == "pmessage":
        return {message["channel"].partition(":")[2]}
    if message["type"] == "message":
        return None if message["data"] is None else set(message["data"])
    return set()
