"""Flows that are paused, or not deployed yet, when their sources become ready."""

from __future__ import annotations

import pytest

from airflow_readiness.demo.processes import wait_until
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(240)

TEN_LINES = """\
from airflow.sdk import DAG, get_current_context, task
from airflow_readiness import launch, ready, source

with DAG("deployed_later", schedule=ready(source("later.a") & source("later.b"))):

    @task
    def report() -> dict[str, str]:
        return {name: outcome.value for name, outcome in launch(get_current_context()).outcomes.items()}

    report()
"""


def test_a_flow_deployed_after_its_sources_were_ready_starts(world: World) -> None:
    for table in ("a", "b"):
        world.stack.sql("select readiness.set_log_settings('later', $1, 23, 59, null, null, 1)", table)
        world.log(f"later.{table}", [world.today])
    world.pass_by()
    (world.dags / "deployed_later.py").write_text(TEN_LINES)
    wait_until(
        lambda: world.stack.sql("select from readiness.flow where dag_id = 'deployed_later'"),
        90,
        "the new flow",
    )
    world.wait_for_runs("deployed_later", [world.today])
    outcomes = world.wait_for_success("deployed_later", "report")
    assert outcomes == {"later.a": "ready", "later.b": "ready"}


def test_a_launch_is_held_while_its_only_flow_is_paused(world: World) -> None:
    (day,) = world.days(1)
    world.expect(["paused.a"], [day])
    world.backdate("paused_alone")
    world.log("paused.a", [day])
    world.pass_by()
    (held,) = world.stack.sql(
        "select attempts, published_at from readiness.launch where condition = 'paused.a'"
    )
    assert (held["attempts"], held["published_at"]) == (0, None)
    world.stack.rest.pause("paused_alone", False)
    world.wait_for_runs("paused_alone", [day])


def test_a_paused_flow_beside_a_running_one_is_started_by_itself(world: World) -> None:
    (day,) = world.days(1)
    world.expect(["beside.a"], [day])
    world.backdate("paused_beside", "running_beside")
    world.log("beside.a", [day])
    world.wait_for_runs("running_beside", [day])
    world.stack.rest.pause("paused_beside", False)
    world.wait_for_runs("paused_beside", [day])
    world.pass_by()
    world.wait_for_runs("running_beside", [day])
    world.wait_for_runs("paused_beside", [day])
