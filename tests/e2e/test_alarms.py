"""A source that misses its deadline is told once, by a notifier on a worker, and no flow waits for that."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_readiness.demo.processes import wait_until
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(300)


def told(world: World) -> list[dict[str, Any]]:
    path = world.folder / "alarms"
    notes = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    # other tests have sources that are missed
    return [note for note in notes if note["source"] == "alarm.source"]


def test_a_missed_source_is_told_once(world: World) -> None:
    world.stack.sql("select readiness.set_log_settings('alarm', 'source', 23, 58, null, null, 1)")
    # as if its deadline were now: a setting knows whole minutes only
    now = (
        "update readiness.processed_log set deadline_override = clock_timestamp() + interval '1 second'"
        " where source = 'alarm.source' and business_date = $1 returning source"
    )
    wait_until(lambda: world.stack.sql(now, world.today), 60, "the date is judged", pause=0.5)
    world.stack.sql("select pg_notify('readiness', 'processed_log')")
    wait_until(lambda: told(world), 180, "an alarm", pause=0.5)
    wait_until(
        lambda: world.stack.sql("select from readiness.alarm where sent_at is not null"), 30, "written down"
    )
    world.pass_by()
    (alarm,) = told(world)
    assert (alarm["source"], alarm["business_date"]) == ("alarm.source", f"{world.today}")
    assert alarm["text"].startswith("alarm.source missed its deadline ")
    assert alarm["url"].endswith(f"/plugin/readiness?source=alarm.source&date={world.today}")
