"""Each part of a real Airflow tells its metrics: the worker, the triggerer and the API server."""

from __future__ import annotations

import pytest

from airflow_readiness.demo.processes import wait_until
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize(
    ("metric", "kind", "least", "most"),
    [
        # the worker of the collector
        ("batch_size", "g", 1, 100),
        # the triggerer: there are flows that wait all day
        ("waiting", "g", 1, 200),
        ("missed", "g", 0, 200),
        # the API server; a launch takes some seconds, in ms
        ("launch_latency", "ms", 1, 60_000),
        ("degraded", "g", 0, 10),
    ],
)
def test_a_metric_is_heard(world: World, metric: str, kind: str, least: float, most: float) -> None:
    # a launch of its own: others may have been held on purpose
    world.statsd.heard(metric)
    before = len(world.statsd.heard(metric))
    world.pass_by()
    wait_until(lambda: len(world.statsd.heard(metric)) > before, 60, metric, pause=0.3)
    value, heard_kind = world.statsd.heard(metric)[-1]
    assert heard_kind == kind
    assert least <= value <= most
