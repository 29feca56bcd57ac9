"""A deployment of which only Postgres, Redis and one triggerer run, and what is seen of it from outside."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from airflow_readiness.core.names import source_key
from airflow_readiness.core.state import Readiness, State
from airflow_readiness.demo.processes import wait_until
from airflow_readiness.demo.stack import Stack, stack
from airflow_readiness.signal import snapshot
from airflow_readiness.signal.client import open_server
from tests.bench.waiting import ANSWER, DAY, RUN, Group, Task, dag_file, source_of

FAR: Final = dt.datetime(2100, 1, 1, tzinfo=dt.timezone.utc)
#: For every triggerer: room for all, and not 50 at a time, which is slower than either kind of trigger.
TRIGGERER: Final = {
    "AIRFLOW__TRIGGERER__CAPACITY": "20000",
    "AIRFLOW__TRIGGERER__MAX_TRIGGER_TO_SELECT_PER_LOOP": "200",
}
SETTINGS: Final = {
    "AIRFLOW__READINESS__POSTGRES_CONN_ID": "bench_postgres",
    "AIRFLOW__READINESS__REDIS_CONN_ID": "bench_redis",
    "AIRFLOW__READINESS__TIMEZONE": "UTC",
    # a file with thousands of tasks
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
}


class Processes:
    """A triggerer's processes: its supervisor, the one that runs the triggers, and the one that serves logs."""

    def __init__(self, pid: int) -> None:
        parent = psutil.Process(pid)
        self._all = [parent, *parent.children(recursive=True)]

    def __len__(self) -> int:
        return len(self._all)

    def memory(self) -> float:
        """Resident KiB of all."""
        return float(sum(each.memory_info().rss for each in self._all)) / 1024

    def cpu(self) -> float:
        """Seconds that all have used so far."""
        return float(sum(sum(each.cpu_times()[:2]) for each in self._all))

    def idle(self) -> bool:
        """Whether they used little of a core for a second."""
        before = self.cpu()
        time.sleep(1)
        return self.cpu() - before < 0.15


@dataclass
class Site:
    """What runs, and what is seen of it."""

    stack: Stack
    deferring: subprocess.Popen[str]

    def defer(self, tasks: list[Task], moment: float) -> float:
        """Run their DAGs, which have no others. When that was committed (seconds since the epoch).

        :param moment: until when Airflow's own triggers wait (seconds since the epoch)
        """
        assert self.deferring.stdin
        order = {"dag_ids": _dag_ids(tasks), "moment": moment}
        self.deferring.stdin.write(json.dumps(order) + "\n")
        self.deferring.stdin.flush()
        return float(self._answer())

    def _answer(self) -> Any:
        assert self.deferring.stdout
        for line in self.deferring.stdout:
            if line.startswith(ANSWER):
                return json.loads(line.removeprefix(ANSWER))
        log = (self.stack.folder / "logs" / "deferred.log").read_text()
        raise RuntimeError(f"the process that defers ended:\n{log[-3000:]}")

    def write(self, tasks: list[Task], state: State) -> None:
        """Write to Redis what is known of the sources of these tasks."""
        now = dt.datetime.now(dt.timezone.utc) if state is State.READY else None
        states = [
            Readiness(source_of(*task), DAY, state, FAR, int(bool(now)), 1, ready_at=now) for task in tasks
        ]

        async def write() -> None:
            async with open_server(self._redis) as redis:
                await snapshot.write(redis, states, [])

        asyncio.run(write())

    @property
    def _redis(self) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": self.stack.redis.port}

    @contextmanager
    def triggerer(self) -> Iterator[Processes]:
        """A triggerer, at work and idle; killed at the end."""
        before = self._jobs()
        self.stack.start("triggerer", **TRIGGERER)
        try:
            wait_until(lambda: self._jobs() > before, 90, "a triggerer")
            pid = self.stack.airflow.programs["triggerer"].pid
            # it starts two: one runs the triggers, one serves the logs
            wait_until(lambda: len(Processes(pid)) == 3, 90, "its processes")
            yield Processes(pid)
        finally:
            self.stack.airflow.kill("triggerer")

    def _jobs(self) -> int:
        query = "select count(*) as jobs from job where job_type = 'TriggererJob'"
        return int(self.stack.sql(query, database="airflow")[0]["jobs"])

    def unstarted(self, tasks: list[Task]) -> list[Task]:
        """Those among these tasks whose trigger has not written its first line: that it starts."""
        logs = self.stack.folder / "airflow" / "logs"
        begun: dict[str, set[str]] = {}
        for dag_id in {dag_id for dag_id, _ in tasks}:
            folder = logs / f"dag_id={dag_id}" / f"run_id={RUN}"
            begun[dag_id] = {each.name for each in folder.iterdir()} if folder.exists() else set()
        return [task for task in tasks if f"task_id={task[1]}" not in begun[task[0]]]

    def unread(self, tasks: list[Task], since: float) -> list[Task]:
        """Those whose source's key in Redis nobody has read since then; Redis counts in whole seconds."""

        async def ask() -> list[int]:
            async with open_server(self._redis) as redis:
                pipeline = redis.pipeline(transaction=False)
                for task in tasks:
                    pipeline.object("IDLETIME", source_key(source_of(*task), DAY.isoformat()))
                return list(await pipeline.execute())

        idle = asyncio.run(ask())
        longest = time.time() - since + 1
        return [task for task, seconds in zip(tasks, idle, strict=True) if seconds > longest]

    def states(self, tasks: list[Task]) -> dict[str, int]:
        """How many of these DAGs' task instances are in which state; ``resumed``: by their trigger's event."""
        query = (
            "select case when state = 'scheduled' and next_kwargs::text like '%event%' then 'resumed' "
            "else coalesce(state, 'none') end as state, count(*) as tasks "
            "from task_instance where dag_id = any($1::text[]) group by 1"
        )
        found = self.stack.sql(query, _dag_ids(tasks), database="airflow")
        return {row["state"]: row["tasks"] for row in found}

    def last_scheduled(self, tasks: list[Task]) -> float:
        """When the last of these DAGs' tasks was scheduled (seconds since the epoch)."""
        query = (
            "select extract(epoch from max(scheduled_dttm))::float8 as at from task_instance "
            "where dag_id = any($1::text[])"
        )
        found = self.stack.sql(query, _dag_ids(tasks), database="airflow")
        return float(found[0]["at"])


def _dag_ids(tasks: list[Task]) -> list[str]:
    return sorted({dag_id for dag_id, _ in tasks})


@contextmanager
def site(groups: list[Group]) -> Iterator[Site]:
    """Start it, with these DAGs; ended with all that belongs to it."""
    with tempfile.TemporaryDirectory(prefix="readiness-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "dags").mkdir()
        (folder / "dags" / "waiting.py").write_text(dag_file(groups))
        with (
            stack(folder / "state", folder / "dags", extra=SETTINGS, airflow=False) as running,
            _deferring(running) as process,
        ):
            yield Site(running, process)


@contextmanager
def _deferring(running: Stack) -> Iterator[subprocess.Popen[str]]:
    database = {"host": running.postgres.host, "login": running.postgres.user, "schema": "readiness"}
    connections = {
        # a password is one more thing that a triggerer's supervisor is told, so that it can mask it
        "bench_postgres": {"conn_type": "postgres", "password": "unused", **database},
        "bench_redis": {"conn_type": "redis", "host": "127.0.0.1", "port": running.redis.port},
    }
    command = [sys.executable, "-m", "tests.bench.deferred", json.dumps(connections)]
    with (
        (running.folder / "logs" / "deferred.log").open("w") as log,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=running.airflow.environment,
            text=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()
