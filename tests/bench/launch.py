"""From the commit of a log row to the first line of the flow's first task, beside three other ways.

Each launch is a business date of its own, in a deployment where nothing else is going on but the two
slow peers, whose tasks poke once a minute meanwhile.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
from dataclasses import dataclass, field
from typing import Final

from tests.bench import size, timeline
from tests.bench.deployment import FIRST, Deployment
from tests.bench.rows import Row

#: Airflow's floor: an asset event by REST.
_FLOOR = """
with DAG("floor", schedule=PartitionedAssetTimetable(assets=Asset("floor"))):
    first()
"""
_OURS = """
with DAG("launched", schedule=ready(source("bench.a") & source("bench.b"))):
    first()
"""
#: A sensor in front of the same task, at the defaults of its poke interval but without a worker of its own.
_SENSOR = """
from airflow.providers.redis.sensors.redis_key import RedisKeySensor

def waits_for_redis(dag_id):
    with DAG(dag_id, schedule=None, max_active_runs=50):
        RedisKeySensor(task_id="wait", key="bench:{{ run_id }}", redis_conn_id="readiness_redis",
                       mode="reschedule", poke_interval={period}) >> first()

waits_for_redis("sensor")
"""
#: The order's own recipe: a collector every minute, sensors that poke every minute.
_RECIPE = """
from datetime import timedelta

import pendulum

waits_for_redis("recipe")

every = {"schedule": timedelta(seconds={period}), "start_date": pendulum.datetime(2026, 1, 1)}

with DAG("recipe_collector", catchup=False, **every):
    @task
    def collect():
        from airflow.providers.postgres.hooks.postgres import PostgresHook
        from airflow.providers.redis.hooks.redis import RedisHook

        rows = PostgresHook("readiness_postgres").get_records("select run_id from recipe_log")
        for (run_id,) in rows:
            RedisHook("readiness_redis").get_conn().set(f"bench:{run_id}", "ready")

    collect()
"""
FLOWS = 1
#: ``[scheduler] scheduler_idle_sleep_time`` in seconds: Airflow's default, and what we advise.
DEFAULT, ADVISED = 1.0, 0.2
#: Seconds for which it is seen what a scheduler costs that has nothing to do.
IDLE: Final = 5.0


def dags(quick: bool) -> dict[str, str]:
    """The DAG file."""
    slow = (_SENSOR + _RECIPE).replace("{period}", str(_period(quick)))
    return {"launch.py": FIRST + _FLOOR + _OURS + slow}


def _period(quick: bool) -> int:
    """Seconds between two looks of the slow peers."""
    return 3 if quick else 60


class Slow(threading.Thread):
    """The two ways that look once a minute: their sources become ready spread over one minute."""

    def __init__(self, running: Deployment, count: int, period: int) -> None:
        super().__init__(name="slow peers")
        self._running = running
        self._count = count
        self._period = period
        self._sent: dict[str, dict[str, float]] = {"sensor": {}, "recipe": {}}

    def run(self) -> None:
        self._running.stack.sql("create table if not exists recipe_log (run_id text)")
        waiting = [(dag_id, self._start(dag_id, n)) for n in range(self._count) for dag_id in self._sent]
        # their sensors have looked once by then
        time.sleep(self._period / 3)
        for dag_id, run_id in waiting:
            if dag_id == "sensor":
                self._redis("set", f"bench:{run_id}", "ready")
            else:
                self._running.stack.sql("insert into recipe_log values ($1)", run_id)
            self._sent[dag_id][run_id] = time.time()
            time.sleep(self._period / len(waiting))

    def _start(self, dag_id: str, number: int) -> str:
        run_id = f"{dag_id}_{number}"
        path = f"/api/v2/dags/{dag_id}/dagRuns"
        self._running.stack.rest.call("POST", path, {"dag_run_id": run_id, "logical_date": None})
        return run_id

    def _redis(self, *command: str) -> None:
        import redis

        with redis.Redis(port=self._running.stack.redis.port) as client:
            client.execute_command(*command)

    def seconds(self, dag_id: str) -> list[float]:
        """How long each took, once all are there."""
        self.join()
        return [self._running.wait_until_began(dag_id, key, 200) - at for key, at in self._sent[dag_id].items()]


def _floor(running: Deployment, asset_id: int, key: str) -> float:
    body = {"asset_id": asset_id, "partition_key": key, "extra": {}}
    running.stack.rest.call("POST", "/api/v2/assets/events", body)
    posted = time.time()
    return running.wait_until_began("floor", key) - posted


@dataclass(frozen=True)
class Launches:
    """What was measured; the slow peers may still be at work."""

    #: by this launcher and by Airflow's floor
    seconds: dict[str, list[float]]
    #: where the time of ours goes: medians (seconds)
    stages: dict[str, float]
    slow: Slow

    def all_seconds(self) -> dict[str, list[float]]:
        """Of all four ways, once the slow ones have launched all of theirs."""
        return self.seconds | {dag_id: self.slow.seconds(dag_id) for dag_id in ("sensor", "recipe")}


@dataclass
class _Taken:
    """Launches by this launcher and by Airflow's floor in turn (seconds)."""

    ours: list[float] = field(default_factory=list)
    floors: list[float] = field(default_factory=list)
    stages: list[list[float] | None] = field(default_factory=list)


def _in_turn(running: Deployment, first: int, count: int) -> _Taken:
    """So many of each, for dates from this number on; where figures are wanted, a cold one before."""
    # the imports of a worker that has never run such a task
    cold = int(running.patient)
    days = [running.day(first + number) for number in range(cold + count)]
    running.expect(["bench.a", "bench.b"], days)
    running.log(["bench.a"], days)
    asset_id = running.asset("floor")
    taken = _Taken()
    for day in days:
        running.wait_until_quiet()
        taken.floors.append(_floor(running, asset_id, day.isoformat()))
        time.sleep(random.random())
        committed = running.log(["bench.b"], [day])
        taken.ours.append(running.wait_until_began("launched", day.isoformat()) - committed)
        running.drop_lineage()
        taken.stages.append(timeline.of_launch(running, "bench.a & bench.b", "launched", day, committed))
    return _Taken(taken.ours[cold:], taken.floors[cold:], taken.stages[cold:])


def by_default(running: Deployment, quick: bool) -> list[Row]:
    """The row of a scheduler as Airflow has it by default. It is started anew, as we advise, at the end."""
    taken = _in_turn(running, 300, 1 if quick else max(size.LAUNCHES // 2, 3))
    seconds = 0.5 if quick else IDLE
    core = running.scheduler_core(seconds)
    running.restart_scheduler(ADVISED)
    # it has just begun
    time.sleep(seconds)
    advised = running.scheduler_core(seconds)
    note = (
        f"[scheduler] scheduler_idle_sleep_time = {DEFAULT:g}, Airflow's default: a scheduler with nothing to "
        f"do takes {core:.1%} of a core; all else here is with {ADVISED:g}, as advised: {advised:.1%}"
    )
    ours, floor = statistics.median(taken.ours), statistics.median(taken.floors)
    work = "launch, median, by a scheduler that sleeps longer"
    return [Row(work, ours, "s", "asset event by REST", floor, 2, note=note)]


def run(running: Deployment, quick: bool) -> Launches:
    """Launch by this launcher and by Airflow's floor in turn, beside the slow peers."""
    slow = Slow(running, 1 if quick else 6, _period(quick))
    slow.start()
    taken = _in_turn(running, 0, 1 if quick else size.LAUNCHES)
    return Launches({"floor": taken.floors, "ours": taken.ours}, timeline.medians(taken.stages), slow)


def rows(seconds: dict[str, list[float]]) -> list[Row]:
    """The median beside each of the others."""
    median = {name: statistics.median(values) for name, values in seconds.items()}
    return [
        Row("launch, median", median["ours"], "s", "asset event by REST", median["floor"], 2),
        Row("launch, worst", max(seconds["ours"]), "s", "asset event by REST", max(seconds["floor"])),
        Row("launch, median", median["ours"], "s", "RedisKeySensor, 60 s", median["sensor"], 0.1),
        Row("launch, median", median["ours"], "s", "collector and sensors every minute", median["recipe"], 0.1),
    ]
