"""The scheduler, the API server and Airflow's database: killed, restarted, away for a while."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from airflow_readiness.demo.processes import wait_until
from tests.e2e.world import World

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("back_to_normal")]

#: Seconds for which the API server is away at least.
AWAY = 300 if os.environ.get("READINESS_SLOW") else 20

DEPLOYED = """\
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow_readiness import ready, source

with DAG("api_down_deployed", schedule=ready(source("api_down.deployed"))):
    EmptyOperator(task_id="start")
"""


def test_the_scheduler_killed_between_event_and_run(world: World) -> None:
    day = world.fall_due("scheduler", seconds=3600)
    scheduler = world.stack.airflow.programs["scheduler"]
    world.log("scheduler.ready", [day])
    attempted = "select from readiness.launch where condition = 'scheduler.ready' and attempted_at is not null"
    event = (
        "select from asset_event as e join asset as a on a.id = e.asset_id "
        "where a.name like 'scheduler.ready%' and a.\"group\" = 'readiness-launch'"
    )
    wait_until(lambda: world.stack.sql(attempted), 60, "the attempt", pause=0.01)
    # the worker, a process of its own, goes on; the run would be the scheduler's work
    scheduler.send_signal(signal.SIGSTOP)
    wait_until(lambda: world.stack.sql(event, database="airflow"), 30, "the asset event", pause=0.01)
    assert world.runs("scheduler_ready") == []
    world.stack.airflow.kill("scheduler")
    world.expect(["scheduler.deadline"], [day], seconds=2)
    world.stack.start("scheduler")
    world.wait_for_both("scheduler", day, seconds=120)


def test_the_api_server_restarted_over_a_launch(world: World) -> None:
    day = world.fall_due("api_restarted", seconds=3)
    world.stack.airflow.kill("api-server")
    world.log("api_restarted.ready", [day])
    world.stack.start("api-server")
    world.wait_for_both("api_restarted", day, seconds=120)


def test_flows_deployed_paused_and_unpaused_while_the_api_server_is_away(world: World) -> None:
    (day,) = world.days(1)
    sources = [f"api_down.{name}" for name in ("plain", "paused", "unpaused")]
    world.expect(sources, [day])
    world.backdate("api_down", "api_down_paused", "api_down_unpaused")
    world.stack.sql("select readiness.set_log_settings('api_down', 'deployed', 23, 59, null, null, 1)")
    with api_server_away(world):
        (world.dags / "api_down_deployed.py").write_text(DEPLOYED)
        _dags_by_cli(world, ["pause", "api_down_paused"], ["unpause", "api_down_unpaused"])
        for source in sources:
            world.log(source, [day])
        world.log("api_down.deployed", [world.today])
    world.wait_for_runs("api_down_deployed", [world.today], seconds=120)
    world.wait_for_runs("api_down", [day], seconds=120)
    world.wait_for_runs("api_down_unpaused", [day])
    world.pass_by()
    assert world.runs("api_down_paused") == []
    world.stack.rest.pause("api_down_paused", False)
    world.wait_for_runs("api_down_paused", [day])


@contextmanager
def api_server_away(world: World) -> Iterator[None]:
    """No API server for AWAY seconds, or as long as what is done meanwhile takes."""
    world.stack.airflow.kill("api-server")
    until = time.monotonic() + AWAY
    try:
        yield
        wait_until(lambda: time.monotonic() > until, AWAY + 1, "the end of the outage")
    finally:
        world.stack.start("api-server")


def _dags_by_cli(world: World, *commands: list[str]) -> None:
    """``airflow dags …``: unlike the UI it needs no API server."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "airflow", "dags", *command, "--yes"],
            env=world.stack.airflow.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for command in commands
    ]
    for process in started:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output.decode()


def test_the_database_of_airflow_and_readiness_restarted(world: World) -> None:
    day = world.fall_due("database", seconds=3)
    world.log("database.ready", [day])
    world.stack.postgres.restart()
    restarted = world.now()
    beating = (
        "select from job where latest_heartbeat > $1 and state = 'running' "
        "and job_type in ('SchedulerJob', 'TriggererJob', 'DagProcessorJob')"
    )

    def both() -> bool:
        # Airflow's scheduler, and at times its triggerer, end by themselves, and count on somebody who
        # starts them again
        world.stack.revive()
        return len(world.stack.sql(beating, restarted, database="airflow")) == 3 and all(
            world.runs(f"database_{what}") for what in ("ready", "deadline")
        )

    wait_until(both, 120, "all of Airflow, and both flows", pause=0.3)
    world.wait_for_both("database", day)
