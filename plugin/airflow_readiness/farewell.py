"""A worker's farewell after it has deferred: Airflow must hear it before the trigger can be back.

Airflow's supervisor learns of the end of a task's process by its sockets. If the last of them closes a
moment before the process is gone, it looks again only after ``[workers] min_heartbeat_interval`` (5 s).
A trigger that fires meanwhile starts the task again, and the scheduler takes the late farewell for the
end of that: it fails an attempt that is at work.
"""

from __future__ import annotations

import subprocess
from typing import Final

#: Until the process that deferred has ended; they hold the write ends of their pipes.
_children: Final[list[subprocess.Popen[bytes]]] = []


def hold_output_open() -> None:
    """Have standard output close a moment after this process has ended; to be called before deferring."""
    # the pipe ends when this process does, come what may
    command = ["sh", "-c", "cat >/dev/null; sleep 0.2"]
    _children.append(subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL))
