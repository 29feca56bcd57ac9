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
        return sorted(run["partition_key"] for run in self.stack.rest.runs(flow))

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
