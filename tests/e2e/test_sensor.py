"""ReadySensor inside any DAG."""

from __future__ import annotations

import uuid

import pytest

from airflow_readiness.demo.processes import wait_until
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(240)


def trigger(world: World, dag_id: str, day: str) -> str:
    run_id = f"e2e-{uuid.uuid4().hex[:8]}"
    body = {"dag_run_id": run_id, "logical_date": None, "conf": {"day": day}}
    world.stack.rest.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)
    return run_id


def state(world: World, dag_id: str, run_id: str, task: str) -> str | None:
    found = world.stack.rest.tasks(dag_id, run_id).get(task, {}).get("state")
    return str(found) if found else None


@pytest.mark.parametrize("dag_id", ["sensor_from_worker", "sensor_from_trigger"])
def test_a_source_that_was_ready_before_the_sensor_ends_its_wait(world: World, dag_id: str) -> None:
    (day,) = world.days(1, before=10)
    world.expect(["sensor.a", "sensor.b"], [day])
    world.log("sensor.a", [day], load_id="once")
    world.log("sensor.b", [day], load_id="once")
    run_id = trigger(world, dag_id, day.isoformat())
    wait_until(lambda: state(world, dag_id, run_id, "after") == "success", 60, "the end of the wait", pause=0.3)


@pytest.mark.parametrize(("dag_id", "before"), [("sensor_from_worker", 11), ("sensor_from_trigger", 12)])
def test_the_sensor_waits_in_the_triggerer_until_both_are_ready(world: World, dag_id: str, before: int) -> None:
    (day,) = world.days(1, before=before)
    world.expect(["sensor.a", "sensor.b"], [day])
    world.log("sensor.a", [day])
    run_id = trigger(world, dag_id, day.isoformat())
    wait_until(lambda: state(world, dag_id, run_id, "wait") == "deferred", 60, "a deferred sensor", pause=0.3)
    world.log("sensor.b", [day])
    wait_until(lambda: state(world, dag_id, run_id, "after") == "success", 60, "the end of the wait", pause=0.3)


def test_a_day_that_is_none_fails_the_sensor_and_says_so(world: World) -> None:
    run_id = trigger(world, "sensor_from_trigger", "2026-13-45")
    wait_until(
        lambda: state(world, "sensor_from_trigger", run_id, "wait") == "failed",
        60,
        "a failed sensor",
        pause=0.3,
    )
