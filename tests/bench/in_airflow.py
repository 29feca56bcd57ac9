"""What is measured in one real Airflow: launches, the collector's turnover, half-ready pairs, many flows."""

from __future__ import annotations

from tests.bench import half_ready, launch, many, size, turnover
from tests.bench.deployment import deployment
from tests.bench.rows import Found


def measure(quick: bool) -> Found:
    """The rows, all latencies (seconds) for the plot, and where the time of a launch goes (seconds)."""
    flows = 8 if quick else size.FLOWS
    dags = launch.dags(quick) | turnover.DAGS | half_ready.DAGS | many.dags(flows)
    known = launch.FLOWS + turnover.FLOWS + half_ready.FLOWS + flows
    with deployment(dags, known, idle=launch.DEFAULT, patient=not quick) as running:
        by_default = launch.by_default(running, quick)
        launched = launch.run(running, quick)
        after = turnover.run(running, quick)
        seconds = launched.all_seconds()
        rows = (
            launch.rows(seconds)
            + by_default
            + after
            + half_ready.run(running, quick)
            + many.run(running, flows)
        )
    return Found(rows, {"launches": seconds, "timeline": launched.stages})
