"""A process of its own for each side of a comparison, told what to do by its parent.

One line of JSON each way: ``["wake", 20]`` is answered with what the method ``wake(20)`` returns. So
neither side has the other's memory, or waits for the other's turn on the event loop.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, TextIO

import psutil

#: Seconds for the longest answer: ten thousand triggers begin.
_PATIENCE: Final = 120.0
#: Before each answer: others may write to the same output.
_ANSWER: Final = "answer: "
#: Seconds for its end.
_END: Final = 10.0


class Child:
    """Started by :func:`started`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._seen = psutil.Process(process.pid)

    async def ask(self, method: str, *arguments: Any) -> Any:
        """What the method returns there.

        :raises RuntimeError: if the process has ended; it has told why
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write((json.dumps([method, *arguments]) + "\n").encode())
        await self._process.stdin.drain()
        while line := await asyncio.wait_for(self._process.stdout.readline(), _PATIENCE):
            if line.startswith(_ANSWER.encode()):
                return json.loads(line.removeprefix(_ANSWER.encode()))
            # Airflow logs there
            sys.stderr.write(line.decode().strip() and line.decode())
        raise RuntimeError(f"the process that was asked to {method} has ended")

    def connections(self, port: int) -> int:
        """How many connections it has to a port, with the processes that it has forked."""
        all_ = [self._seen, *self._seen.children()]
        known = (each for process in all_ for each in process.net_connections("tcp"))
        return sum(bool(each.raddr) and each.raddr.port == port for each in known)


@asynccontextmanager
async def started(module: str, *arguments: str, **environment: str) -> AsyncIterator[Child]:
    """A process that runs a module, ended at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
        limit=2**24,
    )
    try:
        yield Child(process)
    finally:
        # it ends by itself at the end of its input
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _END)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()


async def serve(what: object, answers: TextIO = sys.stdout) -> None:
    """In the child: call the method that stands on each line of the input, to its end."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        method, *arguments = json.loads(line)
        answer = await getattr(what, method)(*arguments)
        print(f"\n{_ANSWER}{json.dumps(answer)}", file=answers, flush=True)
