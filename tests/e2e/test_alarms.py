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
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_missed_source_is_told_once(world: World) -> None:
    zone = world.stack.sql("select timezone from readiness.deployment")[0]["timezone"]
    # the next full minute but one, on the clock of the deployment
    (at,) = world.stack.sql(
        "select extract(hour from t)::int as hour, extract(minute from t)::int as minute"
        " from (select clock_timestamp() at time zone $1 + interval '70 seconds' as t) as soon",
        zone,
    )
    world.stack.sql(
        "select readiness.set_log_settings('alarm', 'source', $1, $2, null, null, 1)", at["hour"], at["minute"]
    )
    wait_until(lambda: told(world), 180, "an alarm", pause=0.5)
    wait_until(
        lambda: world.stack.sql("select from readiness.alarm where sent_at is not null"), 30, "written down"
    )
    world.pass_by()
    ((alarm),) = told(world)
    assert (alarm["source"], alarm["business_date"]) == ("alarm.source", f"{world.today}")
    assert alarm["text"].startswith("alarm.source missed its deadline ")
    assert alarm["url"].endswith(f"/plugin/readiness?source=alarm.source&date={world.today}")
