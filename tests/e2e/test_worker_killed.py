"""A worker that dies anywhere in its publishing loses nothing, and doubles nothing."""

from __future__ import annotations

import pytest

from airflow_readiness.demo.processes import wait_until
from tests.e2e.world import World

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("back_to_normal")]


@pytest.mark.parametrize(
    ("when", "attempts"),
    [
        pytest.param("before", 2, id="before it has said what it publishes"),
        pytest.param("said", 2, id="between saying it and success"),
        pytest.param("after", 1, id="with its supervisor, after the success call"),
    ],
)
def test_a_worker_that_is_killed(world: World, when: str, attempts: int) -> None:
    (day,) = world.days(1)
    order = world.folder / f"die-{when}-killed.{when}"
    order.touch()
    world.expect([f"killed.{when}"], [day])
    world.backdate(f"killed_{when}")
    world.log(f"killed.{when}", [day])
    wait_until(lambda: not order.exists(), 60, "the death of the worker")
    world.wait_for_runs(f"killed_{when}", [day], seconds=120)
    world.pass_by()
    world.wait_for_runs(f"killed_{when}", [day])
    (launch,) = world.stack.sql("select attempts from readiness.launch where condition = $1", f"killed.{when}")
    assert launch["attempts"] == attempts
