"""What Airflow's asset graph shows: collector → source → flow, and the events of sources."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_readiness.demo.processes import wait_until
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(400)


def asset(world: World, name: str) -> dict[str, Any]:
    found = world.stack.rest.call("GET", "/api/v2/assets", name_pattern=name)["assets"]
    (only,) = [each for each in found if each["name"] == name]
    return dict(only)


def test_the_graph_shows_what_a_flow_waits_for_and_who_produces_it(world: World) -> None:
    source = asset(world, "e2e.control")
    assert source["uri"] == "readiness://e2e/control"
    assert source["group"] == "readiness"
    assert [(task["dag_id"], task["task_id"]) for task in source["producing_tasks"]] == [
        ("readiness_collector", "collect.turn_00")
    ]
    assert [dag["dag_id"] for dag in source["scheduled_dags"]] == ["control"]
    both = asset(world, "twin.a & twin.b")
    assert both["group"] == "readiness-launch"
    assert sorted(dag["dag_id"] for dag in both["scheduled_dags"]) == ["twin_1", "twin_2"]
    for name in ("twin.a", "twin.b"):
        assert sorted(dag["dag_id"] for dag in asset(world, name)["scheduled_dags"]) == ["twin_1", "twin_2"]


def test_a_source_that_settled_has_an_event_of_its_own_that_starts_nothing(world: World) -> None:
    (day,) = world.days(1, before=5)
    world.expect(["lineage.a", "lineage.b"], [day])
    world.log("lineage.a", [day])
    source = asset(world, "lineage.a")

    def events() -> list[dict[str, Any]]:
        answer = world.stack.rest.call("GET", "/api/v2/assets/events", asset_id=source["id"], limit=50)
        return [event for event in answer["asset_events"] if event["partition_key"] == day.isoformat()]

    # after the sources of the tests before: lineage has time
    wait_until(lambda: bool(events()), 300, "the event of lineage.a", pause=0.5)
    (event,) = events()
    assert event["source_dag_id"] == "readiness_collector"
    known = event["extra"]["readiness"][day.isoformat()]
    assert (known["state"], known["outcome"], known["log_count"]) == ("ready", "ready", 1)
    assert event["created_dagruns"] == []
    assert world.runs("lineage") == []
