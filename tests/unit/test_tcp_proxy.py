"""The proxy that the fault tests rely upon does what it says."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_readiness.demo.processes import wait_until
from tests.tcp_proxy import TcpProxy


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(65536):
                self.request.sendall(data)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    # a client that is closed while it is echoed to is part of the story
    block_on_close = False


class _UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False


@contextlib.contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    server = _Server(("127.0.0.1", 0), _Echo)
    with _serving(server), TcpProxy("127.0.0.1", server.server_address[1]) as started:
        yield started


@contextlib.contextmanager
def connected(proxy: TcpProxy, timeout: float = 5) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as client:
        client.settimeout(timeout)
        yield client


def echo(client: socket.socket, data: bytes) -> bytes:
    """What comes back."""
    threading.Thread(target=client.sendall, args=(data,), daemon=True).start()
    return receive(client, len(data))


def receive(client: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size and (more := client.recv(65536)):
        got += more
    return got


def until(ask: Callable[[], bool]) -> None:
    wait_until(ask, 5, "the proxy's next state", pause=0.005)


def test_it_forwards_both_ways_and_passes_the_end_on(proxy: TcpProxy) -> None:
    data = bytes(range(256)) * 40_000
    with connected(proxy) as client:
        assert echo(client, data) == data
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    until(lambda: proxy.connections == 0)


def test_a_blackhole_accepts_and_says_nothing_and_gives_it_all_when_it_passes(proxy: TcpProxy) -> None:
    with connected(proxy, 0.2) as old:
        assert echo(old, b"before") == b"before"
        proxy.blackhole()
        with connected(proxy, 0.2) as new:
            for client in (old, new):
                client.sendall(b"swallowed")
                with pytest.raises(TimeoutError):
                    client.recv(1)
            assert proxy.connections == 2
            proxy.passing()
            for client in (old, new):
                client.settimeout(5)
                assert receive(client, 9) == b"swallowed"


def test_an_end_in_a_blackhole_is_not_heard(proxy: TcpProxy) -> None:
    with connected(proxy) as client:
        assert echo(client, b"x") == b"x"
        proxy.blackhole()
    assert proxy.connections == 1
    proxy.passing()
    until(lambda: proxy.connections == 0)


def test_cut_closes_and_refuses_and_the_port_stays_its_own(proxy: TcpProxy) -> None:
    port = proxy.port
    with connected(proxy) as client:
        assert echo(client, b"x") == b"x"
        proxy.cut()
        assert client.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
    proxy.cut()
    proxy.passing()
    assert proxy.port == port
    with connected(proxy) as client:
        assert echo(client, b"again") == b"again"


def test_a_delay_is_one_of_time_and_not_of_throughput(proxy: TcpProxy) -> None:
    with connected(proxy) as client:
        assert echo(client, b"x") == b"x"
        proxy.delay(0.2)
        began = time.monotonic()
        data = b"y" * 1_000_000
        assert echo(client, data) == data
        assert 0.4 <= time.monotonic() - began < 3
        proxy.passing()
        began = time.monotonic()
        assert echo(client, b"z") == b"z"
        assert time.monotonic() - began < 0.2


def test_drop_closes_once(proxy: TcpProxy) -> None:
    with connected(proxy) as client:
        assert echo(client, b"x") == b"x"
        proxy.drop()
        assert client.recv(1) == b""
    with connected(proxy) as client:
        assert echo(client, b"x") == b"x"
    assert proxy.accepted == 2


def test_a_target_that_is_away_is_a_connection_that_closes() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with TcpProxy("127.0.0.1", nobody.getsockname()[1]) as proxy, connected(proxy) as client:
            assert client.recv(1) == b""


def test_the_target_may_be_a_unix_socket() -> None:
    # its path must be short
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "s")
        with _serving(_UnixServer(path, _Echo)), TcpProxy(path) as proxy, connected(proxy) as client:
            assert echo(client, b"x") == b"x"


@pytest.mark.parametrize("mode", ["passing", "blackhole", "cut"])
def test_stop_ends_the_thread_in_every_mode(proxy: TcpProxy, mode: str) -> None:
    # by name: another module's proxy may still run in this process
    own = f"tcp-proxy:{proxy.port}"
    with connected(proxy) as client:
        assert echo(client, b"x") == b"x"
        assert own in [thread.name for thread in threading.enumerate()]
        getattr(proxy, mode)()
        proxy.stop()
        assert client.recv(1) == b""
    assert own not in [thread.name for thread in threading.enumerate()]
    proxy.stop()
