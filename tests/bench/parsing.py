"""A process that has imported Airflow, as the DAG processor has when it forks for each file.

Each measurement is in a fork of its own, which knows nothing of the one before. As there, the garbage
collector looks at nothing that was imported before the fork: it would take longer than the file.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import airflow.dag_processing.processor  # noqa: F401
from airflow.sdk import DAG, Asset, PartitionedAssetTimetable  # noqa: F401
from airflow.serialization.serialized_objects import DagSerialization

from tests.bench import child

_IMPORT: Final = "from airflow_readiness import ready, source\nready(source('a.b'))"


class Parsing:
    """What the parent may ask."""

    async def run_import(self) -> float:
        """Seconds of the import, with the first use of it."""
        return _forked(lambda: exec(_IMPORT, {}))

    async def warm(self) -> None:
        """From now on it is imported."""
        exec(_IMPORT, {})
        gc.freeze()

    async def parse(self, text: str, serialise: bool) -> float:
        """Seconds of a file: it is compiled and run, and its DAGs are written as Airflow stores them."""

        def work() -> None:
            found: dict[str, Any] = {}
            exec(compile(text, "flows.py", "exec"), found)
            if serialise:
                for dag in found["dags"]:
                    json.dumps(DagSerialization.to_dict(dag))

        return _forked(work)


def _forked(work: Callable[[], None]) -> float:
    """Seconds that this takes in a fork."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            began = time.perf_counter()
            work()
            os.write(writing, repr(time.perf_counter() - began).encode())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    if not answer:
        raise RuntimeError("the fork has failed; it has told why")
    return float(answer)


if __name__ == "__main__":
    # what DAG files and Airflow print is nobody's answer
    answers, sys.stdout = sys.stdout, sys.stderr
    asyncio.run(child.serve(Parsing(), answers))
