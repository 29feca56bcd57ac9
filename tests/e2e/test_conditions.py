"""Richer conditions and the settings of their sources, in a real Airflow."""

from __future__ import annotations

import pytest

from airflow_readiness.demo.processes import wait_until
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(240)


def test_what_a_flow_and_its_sources_say_happens_once(world: World) -> None:
    today = world.today
    key = today.isoformat()
    # by their own deadlines, which had passed before anything was known of them
    world.wait_for_runs("cond_own", [today])
    (skipped,) = world.stack.sql(
        "select l.decision from readiness.launch as l join readiness.flow as f using (condition) "
        "where f.dag_id = 'cond_skipped' and l.business_date = $1",
        today,
    )
    assert skipped["decision"] == "skipped"

    for table, option in (
        ("idle", "calendar => '2020-01-01'"),
        ("late", "on_late => 'rerun'"),
        ("must", "on_deadline => 'fail'"),
    ):
        world.stack.sql(f"select readiness.set_source_options('cond', '{table}', {option})")
    assert world.runs("cond_some") == []
    world.expect(["cond.late", "cond.must"], [today], seconds=5)
    world.log("cond.a", [today])
    world.log("cond.b", [today])
    world.wait_for_runs("cond_some", [today])
    sources = world.wait_for_success("cond_some", "why")["sources"]
    assert isinstance(sources, dict)
    assert [known["outcome"] for _, known in sorted(sources.items())] == ["ready", "ready", "not_due"]

    world.wait_for_runs("cond_rerun", [today])
    wait_until(lambda: "failed" in states(world, "cond_fails"), 60, "the failed run of cond_fails", pause=0.3)
    world.log("cond.late", [today])
    world.log("cond.must", [today])
    wait_until(lambda: len(world.runs("cond_rerun")) > 1, 60, "the rerun of cond_rerun", pause=0.3)
    world.pass_by()
    assert [world.runs(f"cond_{name}") for name in ("own", "skipped", "some", "rerun", "fails")] == [
        [key],
        [],
        [key],
        [key, key],
        [key],
    ]
    assert states(world, "cond_fails") == ["failed"]


def states(world: World, flow: str) -> list[str]:
    return [run["state"] for run in world.stack.rest.runs(flow)]
