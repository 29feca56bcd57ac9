"""The flow starts at its deadline anyway, and a late row starts nothing more."""

from __future__ import annotations

import pytest

from tests.e2e.world import World

pytestmark = pytest.mark.timeout(240)


def test_a_source_that_never_logs_starts_the_flow_at_its_deadline(world: World) -> None:
    day = world.today  # a date whose window is still open after the deadline
    world.expect(["deadline.a"], [day])
    world.expect(["deadline.b"], [day], seconds=8)
    world.backdate("by_deadline")
    world.log("deadline.a", [day])
    assert world.runs("by_deadline") == []
    world.wait_for_runs("by_deadline", [day])
    why = world.wait_for_success("by_deadline", "why")
    sources = why["sources"]
    assert isinstance(sources, dict)
    assert {name: known["outcome"] for name, known in sources.items()} == {
        "deadline.a": "ready",
        "deadline.b": "deadline",
    }
    (times,) = world.stack.sql(
        "select l.decided_at >= p.deadline_at as not_early, "
        "l.decided_at - p.deadline_at < interval '5 s' as on_time "
        "from readiness.launch as l join readiness.processed_log as p "
        "on p.source = 'deadline.b' and p.business_date = l.business_date "
        "where l.condition = 'deadline.a & deadline.b' and l.business_date = $1",
        day,
    )
    assert times["not_early"] and times["on_time"]

    world.log("deadline.b", [day])
    world.pass_by()
    world.wait_for_runs("by_deadline", [day])
    (late,) = world.stack.sql(
        "select state from readiness.processed_log where source = 'deadline.b' and business_date = $1", day
    )
    assert late["state"] == "late"
