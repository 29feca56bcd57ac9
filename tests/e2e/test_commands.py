"""``airflow readiness doctor`` and ``airflow readiness repair``, as an operator runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_readiness.demo.processes import wait_until
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(300)


def readiness(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the real command in the environment of the deployment."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "airflow"), "readiness", *arguments],
        env=dict(world.stack.airflow.environment),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_repair_starts_one_flow_for_one_date_and_nothing_else(world: World) -> None:
    # a date from before the flow was known: the registrar leaves it alone
    (day,) = world.days(1, before=20)
    world.stack.sql("update readiness.flow set first_date = $1 where dag_id = 'repair_shared'", day)
    world.expect(["repair.a"], [day])
    world.log("repair.a", [day])
    world.wait_for_runs("repair_shared", [day])

    def repair(flow: str = "repair_paused", date: str = day.isoformat()) -> tuple[int, str]:
        done = readiness(world, "repair", flow, "--date", date)
        return done.returncode, done.stdout + done.stderr

    code, said = repair()
    assert (code, "repair_paused is paused" in said) == (1, True), said
    world.stack.rest.pause("repair_paused", False)
    code, said = repair(flow="repair_pausde")
    assert (code, "did you mean repair_paused" in said) == (1, True), said
    (other,) = world.days(1, before=21)
    code, said = repair(date=other.isoformat())
    assert (code, "it waits for repair.a (not judged for this date yet" in said) == (1, True), said
    assert world.runs("repair_paused") == []

    # its row may be older than the launch by the registrar's clock: wait until that was seen
    wait_until(
        lambda: world.stack.sql(
            "select from readiness.launch where condition = 'repair.a' and published_at is not null"
        ),
        30,
        "the launch seen in Airflow",
    )
    done = readiness(world, "repair", "repair_paused", "--date", day.isoformat(), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    run_id = json.loads(done.stdout)["run_id"]
    assert run_id.endswith(day.isoformat())
    world.wait_for_runs("repair_paused", [day])
    why = world.wait_for_success("repair_paused", "why")
    assert why["condition"] == "repair.a"
    (row,) = world.stack.sql(
        "select run_id, repaired_at from readiness.launch_run where dag_id = 'repair_paused'"
    )
    assert (row["run_id"], row["repaired_at"] is not None) == (run_id, True)

    code, said = repair()
    assert (code, f"has a run for {day} already: {run_id}" in said) == (1, True), said
    world.pass_by()
    world.wait_for_runs("repair_paused", [day])
    world.wait_for_runs("repair_shared", [day])


def test_doctor_says_that_all_is_well_and_what_is_not(world: World) -> None:
    found: dict[str, object] = {}

    def doctor(code: int) -> None:
        def is_so() -> bool:
            done = readiness(world, "doctor", "--json")
            assert done.stdout, done.stderr
            found.update(json.loads(done.stdout))
            assert done.returncode == found["exit_code"]
            return done.returncode == code

        try:
            wait_until(is_so, 90, f"exit code {code} of doctor", pause=0.5)
        except Exception as error:
            raise AssertionError(f"the doctor says {found}") from error

    doctor(0)
    world.stack.rest.pause("readiness_collector", True)
    try:
        doctor(2)
        assert "airflow dags unpause readiness_collector" in json.dumps(found["problems"])
        printed = readiness(world, "doctor").stdout
        assert "DOWN collector: the DAG readiness_collector is paused" in printed
    finally:
        world.stack.rest.pause("readiness_collector", False)
    doctor(0)
