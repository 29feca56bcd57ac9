"""One connection to one server, on which the names of changed keys come in, and keys are read.

By RESP3, what is notified and what was asked for are told apart, so one connection serves for both. What
``CLIENT TRACKING`` redirects is an ordinary message by RESP2 only; there a connection asks first, then
listens, and once it listens can no longer ask.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio.client import PubSub
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from airflow_readiness.signal import client as client_module
from airflow_readiness.signal.client import open_server

if sys.version_info >= (3, 11):
    from asyncio import timeout
else:
    # redis-py needs it there
    from async_timeout import timeout

#: Keys that are taken in before they are passed on.
_CHUNK: Final = 5000


class _Pushed(list[Any]):
    """What nobody asked for."""


@asynccontextmanager
async def open_line(options: dict[str, Any], protocol: int = 2) -> AsyncIterator[Line]:
    """A connection of its own, closed at the end.

    :param options: what ``redis.asyncio.Redis`` takes
    :param protocol: 3 if it is to read too
    """
    async with open_server(options, protocol=protocol) as server:
        pubsub: Any = server.pubsub(push_handler_func=_pushed)
        try:
            yield Line(pubsub, can_read=protocol == 3)
        finally:
            await pubsub.aclose()


async def _pushed(response: list[Any]) -> list[Any]:
    return _Pushed(response)


class Line:
    """Asks first, then subscribes, then listens."""

    def __init__(self, pubsub: PubSub, *, can_read: bool) -> None:
        self._pubsub = pubsub
        #: whether :meth:`read` serves while it listens
        self.can_read = can_read
        #: who waits for a reply, in their order
        self._asked: deque[asyncio.Future[Any] | None] = deque()

    @property
    def _connection(self) -> AbstractConnection:
        connection = self._pubsub.connection
        # sent on one that was lost, a command would connect anew, in silence
        if connection is None or not connection.is_connected:
            raise RedisConnectionError("the connection was lost")
        return connection

    async def _next(self, timeout: float) -> Any:
        """What comes next, none if nothing does; an error that Redis replies with is returned."""
        try:
            return await self._connection.read_response(
                timeout=timeout, disconnect_on_error=False, push_request=True
            )
        except ResponseError as error:
            return error

    async def ask(self, *command: str | int) -> Any:
        """The reply to a command, as it came. Not once it listens."""
        await self._pubsub.execute_command(*command)
        # a reply that is nothing, and none, are the same here: nobody asks for nothing
        reply = await self._next(client_module.TIMEOUT)
        if reply is None:
            raise TimeoutError(f"Redis did not answer {command[0]}")
        if isinstance(reply, ResponseError):
            raise reply
        return reply

    async def psubscribe(self, pattern: str) -> None:
        """Subscribe to a pattern, and wait for the acknowledgement."""
        await self._acknowledged("PSUBSCRIBE", pattern)

    async def subscribe(self, channel: str) -> None:
        """Subscribe to a channel, and wait for the acknowledgement."""
        await self._acknowledged("SUBSCRIBE", channel)

    async def _acknowledged(self, *command: str) -> None:
        reply = await self.ask(*command)
        if not isinstance(reply, list) or reply[0] != command[0].lower():
            raise TimeoutError("Redis did not acknowledge the subscription")

    async def hears_of(self, key: str, within: float) -> bool:
        """Whether both that a key was set and that it was deleted is heard, in so many seconds."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        events: set[str] = set()
        while (left := until - loop.time()) > 0:
            response = await self._next(left)
            if key not in (_keys(response) or ()):
                continue
            # CLIENT TRACKING tells of both in one
            events |= {"set", "del"} if response[0] == "message" else {response[3]}
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
            response = await self._next(silence)
            if response is None:
                if silent:
                    raise TimeoutError(f"Redis has not answered a PING for {silence:g} s")
                silent = True
                await self._send("PING", None)
                continue
            silent = False
            keys: set[str] = set()
            everything = False
            # one for all that have come: of each, it would be the most of what it costs
            async with timeout(silence):
                while True:
                    more = self._take(response)
                    everything = everything or more is None
                    keys.update(more or ())
                    if len(keys) >= _CHUNK or not await self._connection.can_read():
                        break
                    response = await self._next(math.inf)
            if keys or everything:
                heard(None if everything else keys)

    async def read(self, keys: Sequence[str]) -> list[str | None]:
        """The documents of these keys, none where there is none, while :meth:`listen` is at work.

        :raises REDIS_DOWN: if they cannot be read
        """
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Any] = loop.create_future()
        await self._send("MGET", reply, *keys)
        timer = loop.call_later(client_module.TIMEOUT, _expire, reply)
        try:
            values = await reply
        finally:
            timer.cancel()
        # before 7.0.12, Redis may write a notification into the midst of a reply: that of a key that expires
        # as it is read, where those are notified too
        if len(values) != len(keys) or not all(value is None or isinstance(value, str) for value in values):
            raise RedisError("what Redis answers is not what it was asked for")
        return list(values)

    async def _send(self, command: str, reply: asyncio.Future[Any] | None, *arguments: str) -> None:
        if self.can_read:
            self._asked.append(reply)
        await self._connection.send_command(command, *arguments)

    def _take(self, response: Any) -> set[str] | None:
        if isinstance(response, _Pushed) or not self.can_read:
            return _keys(response)
        if not self._asked:
            raise RedisError(f"Redis said what nobody had asked for: {response!r}")
        reply = self._asked.popleft()
        if reply is None:
            return _keys(response)
        if reply.done():
            # nobody waits for it any longer
            return set()
        if isinstance(response, ResponseError):
            reply.set_exception(response)
        else:
            reply.set_result(response)
        return set()


def _expire(reply: asyncio.Future[Any]) -> None:
    if not reply.done():
        reply.set_exception(TimeoutError("Redis did not answer"))


def _keys(response: Any) -> set[str] | None:
    """The keys that something tells of; none if it tells that all are gone (FLUSHALL, by tracking)."""
    if isinstance(response, ResponseError):
        raise response
    if not isinstance(response, list):
        return set()
    if response[0] == "pmessage":
        return {response[2].partition(":")[2]}
    if response[0] == "message":
        return None if response[2] is None else set(response[2])
    return set()
