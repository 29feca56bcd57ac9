"""A TCP proxy that can be told to misbehave, for tests that break the network between two parts.

It runs on an event loop in a thread of its own, so that synchronous code may use it, and a test that
blocks its own loop does not stop it. Its port stays its own from start to stop, in every mode.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import deque
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from typing_extensions import Self

T = TypeVar("T")

#: Seconds within which a change of the mode must be done.
PROMPT: Final = 10.0
_CHUNK: Final = 65536
#: Bytes on their way in one direction; more are not read, as with a full socket buffer.
_WINDOW: Final = 4 * 1024 * 1024


class TcpProxy:
    """Forwards 127.0.0.1:``port`` to a target, until told otherwise.

    Modes: :meth:`passing` (at first), :meth:`blackhole`, :meth:`cut`, :meth:`delay`. Each method
    returns when its mode holds, for old connections as for new ones.

    :param target_host: a host name or address, or the path of a unix socket
    :param target_port: none for a unix socket
    """

    def __init__(self, target_host: str, target_port: int | None = None) -> None:
        self._target = (target_host, target_port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._holder: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._lag = 0.0
        self._accepted = 0

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        assert self._holder, "not started"
        return int(self._holder.getsockname()[1])

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        return len(self._links)

    @property
    def accepted(self) -> int:
        """How many clients have connected since the start."""
        return self._accepted

    def start(self) -> Self:
        """Listen. To be stopped by :meth:`stop`, or use it as a context manager."""
        # A socket that is bound and does not listen keeps the port while nobody may connect.
        self._holder = _bound(0)
        self._thread.name = f"tcp-proxy:{self.port}"
        self._thread.start()
        self._call(self._listen())
        self.passing()
        return self

    def stop(self) -> None:
        """Close every connection and end the thread. May be called twice."""
        if not self._thread.is_alive():
            return
        self._call(self._shut())
        self._call(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PROMPT)
        self._loop.close()
        if self._holder:
            self._holder.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def passing(self) -> None:
        """Forward everything at once; also what a blackhole has swallowed, as TCP would send it again."""
        self.delay(0)

    def blackhole(self) -> None:
        """Accept connections and bytes, and forward nothing; no end of a connection either."""
        self._call(self._set(False, 0))

    def delay(self, seconds: float) -> None:
        """Forward everything, each byte this long after it came, in both directions."""
        self._call(self._set(True, seconds))

    def cut(self) -> None:
        """Close all connections and refuse new ones."""
        self._call(self._shut())

    def drop(self) -> None:
        """Close all connections once; new ones are welcome."""
        self._call(self._close_links())

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PROMPT)

    async def _set(self, is_open: bool, lag: float) -> None:
        self._lag = lag
        if is_open:
            self._open.set()
        else:
            self._open.clear()
        await self._listen()

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, sock=_bound(self.port), backlog=1024)

    async def _shut(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        await self._close_links()

    async def _close_links(self) -> None:
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # a plain function: the task is ours to cancel, before its first step too
        self._accepted += 1
        link = asyncio.get_running_loop().create_task(self._link(reader, writer))
        self._links.add(link)
        # a task that is cancelled before its first step runs none of its own cleaning up
        link.add_done_callback(self._links.discard)
        link.add_done_callback(lambda _: writer.close())

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream: asyncio.StreamWriter | None = None
        pumps: list[asyncio.Task[None]] = []
        try:
            await self._open.wait()
            from_target, upstream = await self._connect()
            pumps = [
                asyncio.create_task(self._pump(reader, upstream)),
                asyncio.create_task(self._pump(from_target, writer)),
            ]
            # an end in one direction is passed on; a reset, or a failure to write, ends both
            await asyncio.gather(*pumps)
        except OSError:
            pass
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for each in (writer, upstream):
                if each:
                    each.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._target
        if port is None:
            return await asyncio.open_unix_connection(host)
        return await asyncio.open_connection(host, port)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transit = _Transit()
        carrier = asyncio.create_task(self._carry(transit, writer))
        try:
            data = b"-"
            while data:
                data = await reader.read(_CHUNK)
                transit.put(asyncio.get_running_loop().time() + self._lag, data)
                await transit.has_room()
                if carrier.done():
                    break
            await carrier
        finally:
            carrier.cancel()
            await asyncio.gather(carrier, return_exceptions=True)

    async def _carry(self, transit: _Transit, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                due_at, data = await transit.get()
                await asyncio.sleep(max(due_at - asyncio.get_running_loop().time(), 0))
                await self._open.wait()
                if not data:
                    with contextlib.suppress(OSError, RuntimeError):
                        writer.write_eof()
                    return
                writer.write(data)
                await writer.drain()
        finally:
            transit.close()


class _Transit:
    """What is on its way in one direction: pairs of the instant when it is due, and bytes."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closed = False

    def put(self, due_at: float, data: bytes) -> None:
        self._waiting.append((due_at, data))
        self._size += len(data)
        self._some.set()
        if self._size >= _WINDOW and not self._closed:
            self._room.clear()

    async def get(self) -> tuple[float, bytes]:
        while not self._waiting:
            self._some.clear()
            await self._some.wait()
        due_at, data = self._waiting.popleft()
        self._size -= len(data)
        if self._size < _WINDOW:
            self._room.set()
        return due_at, data

    async def has_room(self) -> None:
        await self._room.wait()

    def close(self) -> None:
        """Nobody takes anything any more: who waits for room need not."""
        self._closed = True
        self._room.set()


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound
