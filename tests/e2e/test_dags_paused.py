"""The DAGs of readiness paused over a deadline; and that all is quiet while nothing is due."""

from __future__ import annotations

import datetime as dt

import pytest

from airflow_readiness.core.names import COLLECTOR, PROCESSOR
from airflow_readiness.demo.processes import wait_until
from tests.e2e.world import World

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("back_to_normal")]

#: Seconds until the deadline: long enough to see that no run of the collector comes every minute.
QUIET = 61.0


def pause_for_good(world: World, dag_id: str) -> None:
    """Pausing alone lets the run that waits in the triggerer go on, for an hour: that is ended too."""
    world.stack.rest.pause(dag_id, True)
    for run in world.stack.rest.call("GET", f"/api/v2/dags/{dag_id}/dagRuns", state="running")["dag_runs"]:
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run['dag_run_id']}"
        world.stack.rest.call("PATCH", path, {"state": "failed"})


def unpause(world: World, dag_id: str) -> None:
    """Airflow makes the run after one that was ended by hand when it has parsed the file again."""
    world.stack.rest.pause(dag_id, False)
    (world.dags / "e2e_readiness.py").touch()


def test_the_collector_paused_over_a_deadline(world: World) -> None:
    pause_for_good(world, COLLECTOR)
    try:
        day = world.fall_due("collector_paused", seconds=2)
        world.log("collector_paused.ready", [day])
        decided = (
            "select from readiness.launch where condition like 'collector\\_paused.%' "
            "and decided_at < clock_timestamp() - interval '2 s'"
        )
        wait_until(lambda: len(world.stack.sql(decided)) == 2, 60, "both launches, decided")
        assert world.runs("collector_paused_ready") == world.runs("collector_paused_deadline") == []
    finally:
        unpause(world, COLLECTOR)
    world.wait_for_both("collector_paused", day)


def test_the_processor_paused_over_a_deadline(world: World) -> None:
    wait_until(lambda: not world.unpublished(), 180, "the end of all source events", pause=0.5)
    since = world.now()
    pause_for_good(world, PROCESSOR)
    try:
        day = world.fall_due("processor_paused", seconds=QUIET)
        world.wait_for_runs("processor_paused_deadline", [day], seconds=QUIET + 120)
        assert world.lateness("processor_paused_deadline", "processor_paused.deadline", day) <= 120
        assert _ended_for_nothing(world, since) == 0
        # by now the step is taken by the registrar
        world.log("processor_paused.ready", [day])
        world.wait_for_runs("processor_paused_ready", [day])
        query = "select is_paused from dag where dag_id = $1"
        assert world.stack.sql(query, PROCESSOR, database="airflow")[0]["is_paused"]
    finally:
        unpause(world, PROCESSOR)
    wait_until(lambda: world.beat_of("processor") > since + dt.timedelta(seconds=QUIET), 60, "the processor")
    world.wait_for_both("processor_paused", day)


def _ended_for_nothing(world: World, since: dt.datetime) -> int:
    """Runs of the collector that began since then and published nothing."""
    (row,) = world.stack.sql(
        "select count(*) as n from dag_run as r where dag_id = $1 and start_date > $2 and end_date is not null "
        "and not exists (select from asset_event as e "
        "where e.source_dag_id = r.dag_id and e.source_run_id = r.run_id)",
        COLLECTOR,
        since,
        database="airflow",
    )
    return int(row["n"])
