"""Which triggerer is at work, and how one takes over from another."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_readiness.demo.processes import wait_until
from tests.e2e.world import World

#: The triggers that live for hours: the processor's and the collector's.
OURS = "classpath like 'airflow_readiness_triggers.%'"


@dataclass
class Triggerers:
    """The triggerer at work, by the name of its program."""

    world: World
    name: str = "triggerer"

    def kill(self) -> None:
        """End the one at work as a crash would."""
        self.world.stack.airflow.kill(self.name)

    def start(self, name: str, **environment: str) -> float:
        """Start one and wait until it has signed in. By how many seconds its clock is off, about."""
        last = self._last()
        self.world.stack.start("triggerer", name, **environment)
        wait_until(lambda: self._last() > last, 60, f"{name} in Airflow's list of jobs")
        (job,) = self.world.stack.sql(
            "select extract(epoch from start_date - clock_timestamp())::float8 as skew from job where id = $1",
            self._last(),
            database="airflow",
        )
        return float(job["skew"])

    def replace(self, name: str, **environment: str) -> float:
        """Start another one, end this one politely: its triggers move at once. As :meth:`start`."""
        skew = self.start(name, **environment)
        self.world.stack.airflow.terminate(self.name)
        self.name = name
        self.wait_for_hand_over()
        return skew

    def wait_for_hand_over(self, seconds: float = 120) -> None:
        """Until the last one that was started has the processor, and the collector if that waits."""
        wait_until(self._has_all, seconds, f"the long-lived triggers, in {self.name}")

    def _has_all(self) -> bool:
        # the collector defers only when it has nothing to publish
        query = f"select triggerer_id = $1 as here from trigger where {OURS}"
        found = [row["here"] for row in self.world.stack.sql(query, self._last(), database="airflow")]
        return bool(found) and all(found)

    def _last(self) -> int:
        (row,) = self.world.stack.sql(
            "select coalesce(max(id), 0) as id from job where job_type = 'TriggererJob'", database="airflow"
        )
        return int(row["id"])
