"""A deployment to be measured: real servers, a real Airflow, and tasks that write down when they began."""

from __future__ import annotations

import datetime as dt
import os
import random
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from airflow_readiness.demo.processes import wait_until
from airflow_readiness.demo.scenario import noon_timezone
from airflow_readiness.demo.stack import Stack, stack

#: Of the executor. A worker takes most of a core while it starts.
SLOTS = 2 * (os.cpu_count() or 1)
#: The beginning of every DAG file: a task whose first line says when it began.
FIRST = """
import os
import time

from airflow.sdk import DAG, Asset, PartitionedAssetTimetable, task

from airflow_readiness import ready, source

@task
def first(**context):
    with open(os.environ["BENCH_LINES"], "a") as lines:
        run = context["dag_run"]
        lines.write(f"{context['dag'].dag_id} {run.partition_key or run.run_id} {time.time()}\\n")
"""
IDLE: Final = "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME"
READINESS = "from airflow_readiness import readiness_dags\nprocessor, collector = readiness_dags()\n"


@dataclass(frozen=True)
class Deployment:
    """What is running."""

    stack: Stack
    lines: Path
    today: dt.date
    #: whether figures are wanted, and not only that all of it works
    patient: bool = True

    def day(self, number: int) -> dt.date:
        """A business date that the calendar does not open by itself: so many before yesterday."""
        return self.today - dt.timedelta(days=1 + number)

    def expect(self, sources: Iterable[str], days: Iterable[dt.date]) -> None:
        """Have these dates judged, with a deadline in an hour."""
        self.stack.sql(
            "select count(readiness.expect(split_part(s, '.', 1), split_part(s, '.', 2), d, now() + '1 hour')) "
            "from unnest($1::text[]) as s cross join unnest($2::date[]) as d",
            list(sources),
            list(days),
        )

    def log(self, sources: Iterable[str], days: Iterable[dt.date]) -> float:
        """Log rows of all these, in one transaction; when it was committed (seconds since the epoch)."""
        self.stack.sql(
            "insert into readiness.fm_log (source_database, source_table, business_date) "
            "select split_part(s, '.', 1), split_part(s, '.', 2), d "
            "from unnest($1::text[]) as s cross join unnest($2::date[]) as d",
            list(sources),
            list(days),
        )
        return time.time()

    def began(self, dag_id: str) -> dict[str, float]:
        """When the first task of each run began, by partition key (or run id)."""
        lines = (line.split() for line in self.lines.read_text().splitlines())
        return {key: float(at) for name, key, at in lines if name == dag_id}

    def wait_until_began(self, dag_id: str, key: str, seconds: float = 120) -> float:
        """When the first task of a run began, once it has (seconds since the epoch)."""
        wait_until(lambda: key in self.began(dag_id), seconds, f"{dag_id} for {key}", pause=0.05)
        return self.began(dag_id)[key]

    def runs(self, like: str, key: str = "%") -> list[float]:
        """When the runs of these DAGs were created (seconds since the epoch), in order."""
        query = (
            "select extract(epoch from created_at)::float8 as at from dag_run "
            "where dag_id like $1 and partition_key like $2 order by 1"
        )
        return [row["at"] for row in self.stack.sql(query, like, key, database="airflow")]

    def asset(self, name: str) -> int:
        """The id of an asset in Airflow."""
        found = self.stack.rest.call("GET", "/api/v2/assets", name_pattern=name)["assets"]
        (asset_id,) = (asset["id"] for asset in found if asset["name"] == name)
        return int(asset_id)

    def collector_listens(self) -> bool:
        """Whether the collector has nothing to do and waits in the triggerer."""
        query = (
            "select from task_instance as i join trigger as t on t.id = i.trigger_id "
            "where i.dag_id = 'readiness_collector' and i.state = 'deferred' and t.triggerer_id is not null"
        )
        return bool(self.stack.sql(query, database="airflow"))

    def wait_until_quiet(self) -> None:
        """Until the collector listens; and some part of a second, so that Airflow's loops are at any point."""
        if not self.patient:
            return
        wait_until(self.collector_listens, 120, "a collector that listens", pause=0.25)
        time.sleep(0.5 + random.random())

    def restart_scheduler(self, idle: float) -> None:
        """Have it sleep so many seconds when it has nothing to do."""
        wait_until(self.collector_listens, 120, "a collector that listens", pause=0.25)
        before = self._schedulers()
        self.stack.airflow.terminate("scheduler")
        self.stack.start("scheduler", **{IDLE: str(idle)})
        wait_until(lambda: self._schedulers() > before, 90, "a scheduler")

    def _schedulers(self) -> int:
        query = "select count(*) as n from job where job_type = 'SchedulerJob'"
        return int(self.stack.sql(query, database="airflow")[0]["n"])

    def scheduler_core(self, seconds: float) -> float:
        """The share of a core that the scheduler takes while nothing happens."""
        self.wait_until_quiet()
        process = psutil.Process(self.stack.airflow.programs["scheduler"].pid)
        before = sum(process.cpu_times()[:2])
        time.sleep(seconds)
        return float(sum(process.cpu_times()[:2]) - before) / seconds

    def launch(self, flow: str, source: str, day: dt.date) -> float:
        """Seconds from the log row of this source (expected, the last that is missing) to the first task."""
        committed = self.log([source], [day])
        seconds = self.wait_until_began(flow, day.isoformat()) - committed
        self.drop_lineage()
        return seconds

    def wait_until_known(self, like: str, count: int) -> None:
        """Until so many dates of these sources are ready; of that, Airflow is told nothing."""
        query = "select count(*) as n from readiness.processed_log where source like $1 and state = 'ready'"
        wait_until(lambda: self.stack.sql(query, like)[0]["n"] >= count, 120, f"{count} dates of {like}")
        self.drop_lineage()

    def drop_lineage(self) -> None:
        """Spare Airflow the source events of what was measured: they are not part of what comes next."""
        self.stack.sql(
            "update readiness.processed_log set event_published_at = now() "
            "where state <> 'waiting' and event_published_at is null"
        )


@contextmanager
def deployment(
    dags: Mapping[str, str], flows: int, *, idle: float, patient: bool = True
) -> Iterator[Deployment]:
    """Start one, with these DAG files, and wait until it has registered so many flows.

    :param idle: seconds that its scheduler sleeps when it has nothing to do
    """
    with tempfile.TemporaryDirectory(prefix="readiness-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "dags").mkdir()
        for file, text in {"readiness.py": READINESS, **dags}.items():
            (folder / "dags" / file).write_text(text)
        (folder / "lines").touch()
        zone = noon_timezone(dt.datetime.now(dt.timezone.utc))
        extra = {
            "AIRFLOW__READINESS__TIMEZONE": zone,
            "AIRFLOW__READINESS__DEFAULT_DEADLINE": "23:59",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "600",
            "AIRFLOW__CORE__PARALLELISM": str(SLOTS),
            # by default a worker may see only after five seconds that its task has ended, and keeps the slot
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            IDLE: str(idle),
            "BENCH_LINES": str(folder / "lines"),
        }
        with stack(folder / "state", folder / "dags", extra=extra) as running:
            able = "select from readiness.flow where not broken"
            wait_until(lambda: len(running.sql(able)) >= flows, 300, f"{flows} flows", pause=0.5)
            # LocalExecutor 3.3.2 takes tasks beyond its slots and knows no priority then: the pool bounds them
            body = {"name": "default_pool", "slots": SLOTS}
            running.rest.call("PATCH", "/api/v2/pools/default_pool", body, update_mask=["slots"])
            # a source of which no date is known yet would be judged for the past month: a run for each
            unknown = (
                "select from (select distinct unnest(sources) as source from readiness.flow) as f "
                "where not exists (select from readiness.processed_log as p where p.source = f.source)"
            )
            wait_until(lambda: not running.sql(unknown), 300, "today's dates of all sources", pause=0.5)
            running.sql("update readiness.flow set first_date = current_date - 1000")
            (row,) = running.sql("select (now() at time zone $1)::date as today", zone)
            yield Deployment(running, folder / "lines", row["today"], patient)
