"""ReadySensor inside any DAG."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from airflow_readiness.demo.processes import wait_until
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(240)


def trigger(world: World, dag_id: str, day: str = "", logical_date: str | None = None) -> str:
    run_id = f"e2e-{uuid.uuid4().hex[:8]}"
    body = {"dag_run_id": run_id, "logical_date": logical_date, "conf": {"day": day}}
    world.stack.rest.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)
    return run_id


def wait_for(world: World, dag_id: str, run_id: str, task: str, wanted: str) -> None:
    wait_until(lambda: state(world, dag_id, run_id, task) == wanted, 60, f"{task} {wanted}", pause=0.3)


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
    wait_for(world, dag_id, run_id, "after", "success")


@pytest.mark.parametrize(("dag_id", "before"), [("sensor_from_worker", 11), ("sensor_from_trigger", 12)])
def test_the_sensor_waits_in_the_triggerer_until_both_are_ready(world: World, dag_id: str, before: int) -> None:
    (day,) = world.days(1, before=before)
    world.expect(["sensor.a", "sensor.b"], [day])
    world.log("sensor.a", [day])
    run_id = trigger(world, dag_id, day.isoformat())
    wait_for(world, dag_id, run_id, "wait", "deferred")
    world.log("sensor.b", [day])
    wait_for(world, dag_id, run_id, "after", "success")


def test_a_day_that_is_none_fails_the_sensor_and_says_so(world: World) -> None:
    run_id = trigger(world, "sensor_from_trigger", "2026-13-45")
    wait_for(world, "sensor_from_trigger", run_id, "wait", "failed")


def test_inside_a_flow_it_waits_for_the_date_of_the_run(world: World) -> None:
    first, second = world.days(2, before=20)
    world.expect(["gated.first", "gated.second"], [first, second])
    world.backdate("gated")
    world.log("gated.second", [second])
    world.log("gated.first", [first])
    world.wait_for_runs("gated", [first])
    (run,) = world.stack.rest.runs("gated")
    run_id = run["dag_run_id"]
    wait_for(world, "gated", run_id, "wait", "deferred")
    world.log("gated.second", [first])
    wait_for(world, "gated", run_id, "after", "success")


def test_outside_of_flows_it_waits_for_the_logical_date(world: World) -> None:
    (day,) = world.days(1, before=30)
    (instant,) = world.stack.sql(
        "select ($1::date + time '00:30') at time zone timezone as at from readiness.deployment", day
    )
    at = instant["at"].astimezone(dt.timezone.utc)
    world.expect(["gated.second"], [day])
    run_id = trigger(world, "sensor_by_logical_date", logical_date=at.isoformat())
    dag_id = "sensor_by_logical_date"
    wait_for(world, dag_id, run_id, "wait", "deferred")
    world.log("gated.second", [day])
    wait_for(world, dag_id, run_id, "wait", "success")
