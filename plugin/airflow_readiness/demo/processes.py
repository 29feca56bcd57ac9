"""Child processes that end together: one process group, and nothing left behind.

``python -m airflow_readiness.demo.processes FOLDER`` lists what is left of a stack and fails if anything is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

#: In the environment of all that a stack starts: its folder.
MARK = "READINESS_STACK"


def strays(folder: Path) -> list[psutil.Process]:
    """What is running although it was started for the stack in this folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == str(folder.resolve()):
                found.append(process)
    return found


def end(processes: Sequence[psutil.Process]) -> None:
    """End these at once."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=5)


@dataclass(slots=True)
class ProcessGroup:
    """Named programs in one process group of their own, each with a log file."""

    folder: Path
    environment: dict[str, str]
    programs: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _leader: int = 0

    def start(self, name: str, command: Sequence[str], **environment: str) -> None:
        """Start a program, with variables of its own; the first one leads the group."""
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
                env={**self.environment, **environment},
                preexec_fn=join,
            )
        if not leader:
            self._leader = self.programs[name].pid

    def kill(self, name: str) -> None:
        """End one program and all it has started, at once, as a crash would."""
        program = self.programs.pop(name)
        end(_family([program.pid]))
        program.wait()

    def terminate(self, name: str, seconds: float = 20) -> None:
        """Ask one program to end, and wait for it; what it leaves behind after so many seconds is ended."""
        program = self.programs.pop(name)
        family = _family([program.pid])
        program.terminate()
        _, alive = psutil.wait_procs(family, timeout=seconds)
        end(alive)
        program.wait()

    def left_over(self, folder: Path) -> list[psutil.Process]:
        """What was started for the stack in a folder and belongs to none of the programs any more."""
        mine = {process.pid for process in _family([program.pid for program in self.programs.values()])}
        return [process for process in strays(folder) if process.pid not in mine]

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
        end(alive)
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
def process_group(folder: Path, environment: dict[str, str]) -> Iterator[ProcessGroup]:
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


def main() -> int:
    """List what is left; 1 if anything is."""
    left = strays(Path(sys.argv[1]))
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            print(process.pid, " ".join(process.cmdline()))
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
