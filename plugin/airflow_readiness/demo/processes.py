"""Child processes that end together: one process group, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil


@dataclass(slots=True)
class ProcessGroup:
    """Named programs in one process group of their own, each with a log file."""

    folder: Path
    environment: Mapping[str, str]
    programs: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _leader: int = 0

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a program; the first one leads the group."""
        self.folder.mkdir(parents=True, exist_ok=True)
        leader = self._leader if self._alive(self._leader) else 0

        def join() -> None:
            os.setpgid(0, leader)

        with (self.folder / f"{name}.log").open("ab") as log:
            self.programs[name] = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=dict(self.environment),
                preexec_fn=join,
            )
        if not leader:
            self._leader = self.programs[name].pid

    def kill(self, name: str) -> None:
        """End one program and all it has started, at once, as a crash would."""
        program = self.programs.pop(name)
        family = _family([program.pid])
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)
        program.wait()

    def dead(self) -> list[str]:
        """The programs that have ended by themselves."""
        return [name for name, program in self.programs.items() if program.poll() is not None]

    def stop(self) -> None:
        """End the group: ask, wait, insist. What left the group is ended too."""
        family = _family([program.pid for program in self.programs.values()])
        for program in self.programs.values():
            with contextlib.suppress(ProcessLookupError):
                program.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=10)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=5)
        if self._leader:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._leader, signal.SIGKILL)
        for program in self.programs.values():
            program.wait()
        self.programs.clear()

    @staticmethod
    def _alive(pid: int) -> bool:
        return bool(pid) and psutil.pid_exists(pid)


def _family(pids: Sequence[int]) -> list[psutil.Process]:
    family: list[psutil.Process] = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(pid)
            family += [parent, *parent.children(recursive=True)]
    return family


@contextlib.contextmanager
def process_group(folder: Path, environment: Mapping[str, str]) -> Iterator[ProcessGroup]:
    """A group that is ended at the end, however that comes."""
    group = ProcessGroup(folder, environment)
    try:
        yield group
    finally:
        group.stop()


def wait_until(condition: object, seconds: float, what: str, pause: float = 0.1) -> None:
    """Call ``condition`` until it is true.

    :raises TimeoutError: saying what did not come, after ``seconds``
    """
    assert callable(condition)
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} did not come within {seconds:g} s")
        time.sleep(pause)
