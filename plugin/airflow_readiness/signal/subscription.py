"""A subscription to every change of a key of ours, which has been tested against itself.

Keyspace notifications may be off, and ``CONFIG`` forbidden; so a key is written, and must be heard of.
If it is not, ``CLIENT TRACKING`` is tried in the same way; if that is refused too, there is nothing to
hear, and who wants to know has to read by a timer. What is heard of is a hint and may be lost on every
disconnect: a failure ends the subscription, and nothing is repaired in silence.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from redis.exceptions import RedisError, ResponseError

from airflow_readiness.core.names import KEY_PREFIX
from airflow_readiness.signal import snapshot
from airflow_readiness.signal.client import REDIS_DOWN, Client, forget
from airflow_readiness.signal.events import NEEDED_EVENTS, SETTING, ensure_events
from airflow_readiness.signal.line import Line, open_line
from airflow_readiness.signal.nodes import Address, can_move, keys_on, options_of, primaries

log = logging.getLogger(__name__)

Mode: TypeAlias = Literal["notifications", "tracking", "timer"]

#: Seconds within which a key that was written must be heard of.
SELF_TEST: Final = 1.5
#: Probes are below this; neither a source nor a launch has such a key.
PROBE: Final = f"{KEY_PREFIX}probe:"
#: Where ``CLIENT TRACKING`` sends the names of changed keys.
INVALIDATE: Final = "__redis__:invalidate"
#: Seconds after which a probe is gone, should nobody have deleted it.
_TTL: Final = 10
#: Enough for each primary of a Cluster to hold at least one, most likely.
_CANDIDATES: Final = 1000


@dataclass(frozen=True, slots=True)
class Subscription:
    """What :func:`open_subscription` found."""

    mode: Mode
    #: what an operator can do so that notifications are heard; none if they are
    advice: str | None
    #: one for each server; none in the mode ``"timer"``
    lines: tuple[Line, ...]
    _client: Client
    _addresses: frozenset[Address]

    @property
    def can_move(self) -> bool:
        """Whether the servers may be others one day, so that :meth:`check` is worth its while."""
        return can_move(self._client)

    @property
    def reader(self) -> Line | None:
        """The line that reads as well: there is one, and no other connection is needed."""
        return self.lines[0] if len(self.lines) == 1 and self.lines[0].can_read else None

    async def read(self, keys: Sequence[str]) -> dict[str, str | None]:
        """The documents of these keys, by the one line where there is one that reads; it has to listen.

        :raises REDIS_DOWN: if one of them cannot be read
        """
        if self.reader is None:
            return await snapshot.read(self._client, keys)
        documents: dict[str, str | None] = {}
        for start in range(0, len(keys), snapshot.READ):
            chunk = keys[start : start + snapshot.READ]
            documents.update(zip(chunk, await self.reader.read(chunk), strict=True))
        return documents

    async def check(self) -> None:
        """See whether keys are still written where this listens.

        Where nobody answers, nothing is known, and what works is left alone: all Sentinels may be down.

        :raises redis.RedisError: if not
        """
        try:
            now = await primaries(self._client)
        except REDIS_DOWN as error:
            log.debug("cannot see where the primaries are: %s", error)
            return
        if now != self._addresses:
            raise RedisError(f"the primaries are {_list(now)} now, no longer {_list(self._addresses)}")


@asynccontextmanager
async def open_subscription(client: Client, options: dict[str, Any]) -> AsyncIterator[Subscription]:
    """Subscribe in the best way that works; acknowledged and tested once it is yielded.

    :param client: for the test; keys that it writes are heard of
    :param options: the same that the client was made of
    :raises REDIS_DOWN: if Redis cannot be reached, or not written to
    """
    addresses = await primaries(client)
    database = options.get("db", 0)
    reasons: list[str] = []
    attempts: tuple[tuple[Mode, int, Callable[[Line], Any]], ...] = (
        ("notifications", 3, lambda line: _notified(line, database)),
        ("tracking", 2, _tracked),
    )
    for mode, protocol, begin in attempts:
        async with AsyncExitStack() as stack:
            lines = {
                each: await stack.enter_async_context(open_line(options_of(each, options), protocol))
                for each in sorted(addresses)
            }
            try:
                remarks = [await begin(line) for line in lines.values()]
            except ResponseError as error:
                # without the arguments, which Redis may repeat: what is said once must stay the same
                reasons.append(str(error).partition(", with args")[0])
                continue
            if await _hears_itself(client, lines):
                found = Subscription(mode, _advice(mode, reasons), tuple(lines.values()), client, addresses)
                if found.reader:
                    # its connection has served for the test
                    await forget(client)
                yield found
                return
            reasons.append(next(filter(None, remarks), "a key was written, and nothing was heard of it"))
    yield Subscription("timer", _advice("timer", reasons), (), client, addresses)


async def _notified(line: Line, database: int) -> str:
    refused = await ensure_events(line.ask)
    await line.psubscribe(f"__keyspace@{database}__:{KEY_PREFIX}*")
    return refused


async def _tracked(line: Line) -> str:
    # to itself: so the tracking cannot end without the connection that listens
    number = await line.ask("CLIENT", "ID")
    await line.ask("CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST", "PREFIX", KEY_PREFIX)
    await line.subscribe(INVALIDATE)
    return ""


async def _hears_itself(client: Client, lines: dict[Address, Line]) -> bool:
    candidates = [f"{PROBE}{uuid.uuid4().hex}" for _ in range(_CANDIDATES if len(lines) > 1 else 1)]
    probes = keys_on(client, frozenset(lines), candidates)
    try:
        for key in probes.values():
            await client.set(key, "", ex=_TTL)
            await client.delete(key)
    except ResponseError as error:
        # nobody can: what Redis holds is old, whoever would tell of it
        raise RedisError(f"it cannot be written: {error}") from error
    for address, key in probes.items():
        if not await lines[address].hears_of(key, SELF_TEST):
            return False
    return True


def _advice(mode: Mode, reasons: list[str]) -> str | None:
    if mode == "notifications":
        return None
    needed = f"have its administrator set {SETTING} to at least {NEEDED_EVENTS!r}"
    if mode == "tracking":
        return (
            f"Redis gives no keyspace notifications ({reasons[0]}): CLIENT TRACKING is used instead, and "
            f"nothing is late. To have notifications, {needed}"
        )
    return (
        f"Redis gives no keyspace notifications ({reasons[0]}), and CLIENT TRACKING does not serve "
        f"({reasons[1]}): readiness is read by a timer. To be told at once, {needed}, or allow CLIENT ID, "
        f"CLIENT TRACKING and the channel {INVALIDATE}"
    )


def _list(addresses: Iterable[Address]) -> str:
    return ", ".join(f"{host}:{port}" for host, port in sorted(addresses))
