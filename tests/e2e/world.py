"""A running deployment, and what a test does with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from airflow_readiness.demo.processes import wait_until
from airflow_readiness.demo.stack import Stack
from tests.statsd import Statsd


@dataclass(frozen=True)
class World:
    """A running deployment, and what a test does with it."""

    stack: Stack
    dags: Path
    folder: Path
    today: dt.date
    statsd: Statsd

    def days(self, count: int, before: int = 1) -> list[dt.date]:
        """Past business dates: the calendar opens none of them by itself."""
        return [self.today - dt.timedelta(days=before + number) for number in range(count)]

    def expect(self, sources: Iterable[str], days: Iterable[dt.date], seconds: float = 3600) -> None:
        """Have these dates judged, with a deadline so many seconds from now."""
        self.stack.sql(
            "select readiness.expect(split_part(s, '.', 1), split_part(s, '.', 2), d, "
            "now() + $3 * interval '1 s') from unnest($1::text[]) as s cross join unnest($2::date[]) as d",
            list(sources),
            list(days),
            seconds,
        )

    def backdate(self, *flows: str) -> None:
        """Have these flows judged for the past too, as if they had been deployed two months ago."""
        self.stack.sql(
            "update readiness.flow set first_date = $2 where dag_id = any ($1::text[])",
            list(flows),
            self.today - dt.timedelta(days=60),
        )

    def log(self, source: str, days: Iterable[dt.date], load_id: str | None = None) -> None:
        """A log row of a source for each date, in one transaction."""
        database, table = source.split(".")
        self.stack.sql(
            "select readiness.report_log($1, $2, d, 1, $4) from unnest($3::date[]) as d",
            database,
            table,
            list(days),
            load_id,
        )

    def runs(self, flow: str) -> list[str]:
        """The partition keys of a flow's runs, sorted; a date that was started twice is there twice."""
        # not by the API, which may be what is broken
        query = "select partition_key from dag_run where dag_id = $1 order by partition_key"
        return [row["partition_key"] for row in self.stack.sql(query, flow, database="airflow")]

    def fall_due(self, story: str, seconds: float) -> dt.date:
        """Have the two flows of a story wait: one for a source, one for a deadline so many seconds from now."""
        (day,) = self.days(1)
        self.backdate(f"{story}_ready", f"{story}_deadline")
        self.expect([f"{story}.ready"], [day])
        self.expect([f"{story}.deadline"], [day], seconds=seconds)
        return day

    def wait_for_both(self, story: str, day: dt.date, seconds: float = 60) -> None:
        """Until both flows of a story have run for this date, each once."""
        self.wait_for_runs(f"{story}_ready", [day], seconds)
        self.wait_for_runs(f"{story}_deadline", [day], seconds)

    def lateness(self, flow: str, source: str, day: dt.date) -> float:
        """Seconds from a source's deadline to the run of a flow."""
        query = "select deadline_at from readiness.processed_log where source = $1 and business_date = $2"
        (known,) = self.stack.sql(query, source, day)
        query = "select queued_at from dag_run where dag_id = $1 and partition_key = $2"
        (run,) = self.stack.sql(query, flow, day.isoformat(), database="airflow")
        return float((run["queued_at"] - known["deadline_at"]).total_seconds())

    def now(self) -> dt.datetime:
        """The database's clock."""
        now: dt.datetime = self.stack.sql("select clock_timestamp() as now")[0]["now"]
        return now

    def beat_of(self, part: str) -> dt.datetime:
        """When a part gave its last sign of life."""
        (row,) = self.stack.sql("select beat_at from readiness.heartbeat where part = $1", part)
        beat_at: dt.datetime = row["beat_at"]
        return beat_at

    def unpublished(self) -> bool:
        """Whether a launch, or a source that settled, has no event in Airflow yet."""
        query = (
            "select from readiness.launch where published_at is null and decision = 'launched' union all "
            "select from readiness.processed_log as p "
            "where p.state not in ('waiting', 'not_due') and p.event_published_at is null and exists "
            "(select from readiness.flow as f where f.gone_at is null and f.sources @> array[p.source])"
        )
        return bool(self.stack.sql(query))

    def wait_for_runs(self, flow: str, days: Iterable[dt.date], seconds: float = 60) -> None:
        """Until a flow has run for exactly these dates, each once."""
        wanted = sorted(day.isoformat() for day in days)
        wait_until(lambda: set(wanted) <= set(self.runs(flow)), seconds, f"{flow} for {wanted}", pause=0.3)
        assert self.runs(flow) == wanted

    def pass_by(self) -> None:
        """Let one launch go the whole way, so that what was due before it has gone it too."""
        control = next(
            day
            for day in self.days(400, before=100)
            if not self.stack.sql(
                "select from readiness.processed_log where source = 'e2e.control' and business_date = $1", day
            )
        )
        self.stack.sql("update readiness.flow set first_date = $1 where dag_id = 'control'", control)
        self.expect(["e2e.control"], [control])
        self.log("e2e.control", [control])
        wait_until(lambda: control.isoformat() in self.runs("control"), 60, f"control for {control}", pause=0.3)

    def wait_for_success(self, flow: str, task: str, key: str = "", seconds: float = 60) -> dict[str, object]:
        """What a task of a flow's run (the only one, or the one for this date) returned."""

        def find() -> str | None:
            for run in self.stack.rest.runs(flow):
                if not key or run["partition_key"] == key:
                    tasks = self.stack.rest.tasks(flow, run["dag_run_id"])
                    if tasks.get(task, {}).get("state") == "success":
                        return str(run["dag_run_id"])
            return None

        wait_until(lambda: find() is not None, seconds, f"success of {flow}.{task}", pause=0.3)
        path = f"/api/v2/dags/{flow}/dagRuns/{find()}/taskInstances/{task}/xcomEntries/return_value"
        value = self.stack.rest.call("GET", path, deserialize="true")["value"]
        assert isinstance(value, dict)
        return value
