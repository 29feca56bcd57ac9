"""A worker that dies between publishing and success loses nothing, and doubles nothing."""

from __future__ import annotations

import pytest

from airflow_readiness.demo.processes import wait_until
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(240)


def test_a_worker_killed_between_publishing_and_success(world: World) -> None:
    (day,) = world.days(1)
    order = world.folder / "die-killed.a"
    order.touch()
    world.expect(["killed.a"], [day])
    world.backdate("killed")
    world.log("killed.a", [day])
    wait_until(lambda: not order.exists(), 60, "the death of the worker")
    world.wait_for_runs("killed", [day], seconds=120)
    world.pass_by()
    world.wait_for_runs("killed", [day])
    (launch,) = world.stack.sql("select attempts from readiness.launch where condition = 'killed.a'")
    assert launch["attempts"] >= 2
