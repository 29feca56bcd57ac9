"""What the demo plays: two sources log, one never does; three flows start, each once."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import Any

from airflow_readiness.demo.processes import wait_until
from airflow_readiness.demo.stack import Stack

#: flow → the sources it waits for
FLOWS = {
    "sales_by_region": ("hive.sales", "hive.stores"),
    "store_directory": ("hive.stores",),
    "currency_report": ("hive.fx_rates",),
}
_SALES = """
insert into night.sales (business_date, store_id, amount)
select '{day}', 1 + n % 3, 10 * n from generate_series(1, 30) as n
"""
_STORES = """
insert into night.stores (business_date, store_id, name, region) values
('{day}', 1, 'Harbour', 'north'), ('{day}', 2, 'Market', 'south'), ('{day}', 3, 'Mill', 'north')
"""
_RATES_OF_YESTERDAY = """
insert into night.fx_rates (business_date, currency, rate) values ('{day}'::date - 1, 'EUR', 1.08)
"""


def noon_timezone(now: dt.datetime) -> str:
    """A zone in which it is about noon, so that no play runs over midnight."""
    offset = now.hour - 12
    # the sign of these names is that of POSIX: Etc/GMT-3 is three hours ahead of UTC
    return f"Etc/GMT{offset:+d}" if offset else "Etc/GMT"


@dataclass(slots=True)
class Step:
    """A line of the timeline."""

    at: dt.datetime
    subject: str
    what: str


@dataclass(slots=True)
class Play:
    """One play of the scenario on a running stack."""

    stack: Stack
    zone: str
    day: str = ""
    deadline_at: dt.datetime | None = None

    def prepare(self) -> None:
        """Before Airflow starts: settings for all sources; the deadline of the third is out of reach yet."""
        clock = self.stack.sql("select (now() at time zone $1)::date as day", self.zone)[0]
        self.day = clock["day"].isoformat()
        for name in ("sales", "stores", "fx_rates"):
            self.stack.sql("select readiness.set_log_settings('hive', $1, 23, 59, null, null, 1)", name)
        self.stack.script(_RATES_OF_YESTERDAY.format(day=self.day))

    def wait_until_listening(self) -> None:
        """Until the flows are registered and both long-lived tasks wait in the triggerer."""

        def listening() -> bool:
            flows = self.stack.sql("select dag_id from readiness.flow where not broken and not paused")
            beats = self.stack.sql("select part from readiness.heartbeat where (detail->>'redis')::boolean")
            return len(flows) >= len(FLOWS) and bool(beats) and self._collector_waits()

        wait_until(listening, 120, "a processor and a collector that wait", pause=0.5)

    def _collector_waits(self) -> bool:
        runs = self.stack.rest.runs("readiness_collector")
        tasks = self.stack.rest.tasks("readiness_collector", runs[-1]["dag_run_id"]) if runs else {}
        return any(task["state"] == "deferred" and task["triggerer_job"] for task in tasks.values())

    def set_deadline(self) -> dt.datetime:
        """The next full minute that leaves time for the rest, as the third source's deadline."""
        soon = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=75)
        self.deadline_at = soon.replace(second=0, microsecond=0)
        (clock,) = self.stack.sql(
            "select $1::timestamptz at time zone $2 as local", self.deadline_at, self.zone
        )
        query = "select readiness.set_log_settings('hive', 'fx_rates', $1, $2, null, null, 1)"
        self.stack.sql(query, clock["local"].hour, clock["local"].minute)
        return self.deadline_at

    def deliver(self, name: str) -> dt.datetime:
        """Deliver a source's rows, then its log row, by plain SQL. When that was committed."""
        rows = {"sales": _SALES, "stores": _STORES}[name]
        self.stack.script(rows.format(day=self.day))
        committed = self.stack.script(
            "insert into readiness.fm_log (source_database, source_table, business_date, row_count) "
            f"values ('hive', '{name}', '{self.day}', (select count(*) from night.{name} "
            f"where business_date = '{self.day}'))"
        )
        return committed

    def first_task(self, flow: str) -> dt.datetime | None:
        """When the first task of a flow's run for the date started."""
        for run in self._runs(flow):
            starts = [task["start_date"] for task in self.stack.rest.tasks(flow, run["dag_run_id"]).values()]
            if started := [start for start in starts if start]:
                return dt.datetime.fromisoformat(min(started).replace("Z", "+00:00"))
        return None

    def wait_for(self, flow: str, seconds: float) -> dt.datetime:
        """Until the first task of a flow has started."""
        wait_until(lambda: self.first_task(flow) is not None, seconds, f"a run of {flow}", pause=0.2)
        started = self.first_task(flow)
        assert started is not None
        return started

    def steps(self, flow: str) -> list[Step]:
        """What happened on the way to a flow's start, from the records of Postgres and Airflow."""
        condition = " & ".join(FLOWS[flow])
        query = (
            "select decided_at, published_at from readiness.launch where condition = $1 and business_date = $2"
        )
        wait_until(
            lambda: any(
                row["published_at"] for row in self.stack.sql(query, condition, dt.date.fromisoformat(self.day))
            ),
            30,
            f"the registrar's sight of {condition}",
        )
        (launch,) = self.stack.sql(query, condition, dt.date.fromisoformat(self.day))
        started = self.wait_for(flow, 30)
        return [
            Step(launch["decided_at"], condition, "decided, and signalled through Redis"),
            Step(launch["published_at"], condition, f"asset event published for {self.day}"),
            Step(started, flow, "first task of the flow started"),
        ]

    def _runs(self, flow: str) -> list[dict[str, Any]]:
        return [run for run in self.stack.rest.runs(flow) if run["partition_key"] == self.day]

    def check(self) -> list[str]:
        """What is not as promised, by Airflow's own records and by the rows the flows wrote."""
        until = time.monotonic() + 60
        while time.monotonic() < until and not all(self._ended(flow) for flow in FLOWS):
            time.sleep(0.5)
        complaints = []
        for flow in FLOWS:
            runs = self.stack.rest.runs(flow)
            if [run["partition_key"] for run in runs] != [self.day]:
                complaints.append(f"{flow} has runs {runs} instead of one for {self.day}")
                continue
            states = {
                name: task["state"] for name, task in self.stack.rest.tasks(flow, runs[0]["dag_run_id"]).items()
            }
            if set(states.values()) != {"success"}:
                complaints.append(f"{flow}: tasks {states}")
            (count,) = self.stack.sql(
                f"select count(*) as rows from night.{flow} where business_date = $1",
                dt.date.fromisoformat(self.day),
            )
            if not count["rows"]:
                complaints.append(f"{flow} wrote no rows for {self.day}")
        return complaints + self._check_outcomes()

    def _ended(self, flow: str) -> bool:
        runs = self._runs(flow)
        return bool(runs) and all(run["state"] in ("success", "failed") for run in runs)

    def _check_outcomes(self) -> list[str]:
        rows = self.stack.sql("select condition, evidence::text as evidence from readiness.launch")
        wanted = {"hive.sales & hive.stores": "ready", "hive.stores": "ready", "hive.fx_rates": "deadline"}
        complaints = []
        for row in rows:
            outcome = f'"outcome": "{wanted[row["condition"]]}"'
            if outcome not in row["evidence"]:
                complaints.append(
                    f"{row['condition']} was not launched by {wanted[row['condition']]}: {row['evidence']}"
                )
        return complaints
