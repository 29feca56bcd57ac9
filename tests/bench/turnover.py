"""The collector's blind time: a source that becomes ready just after a batch was taken → its flow's first task.

The batch's runs have nothing for a worker to do, so that what is measured is the wait for the next batch.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator

from airflow_readiness.demo.processes import wait_until
from tests.bench.deployment import FIRST, Deployment
from tests.bench.rows import Row

_BATCH = """
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("batch", schedule=ready(source("batch.a")), max_active_runs=2000):
    EmptyOperator(task_id="nothing")

with DAG("probe", schedule=ready(source("probe.a")), default_args={"priority_weight": 1000}):
    first()
"""
DAGS = {"turnover.py": FIRST + _BATCH}
FLOWS = 2


def _just_after(running: Deployment, days: list[dt.date], probe: dt.date) -> float:
    """Seconds to the probe's first task; its log row comes when the batch of these dates has been taken."""
    running.expect(["batch.a"], days)
    running.expect(["probe.a"], [probe])
    running.wait_until_quiet()
    running.log(["batch.a"], days)
    taken = (
        "select from readiness.launch where condition = 'batch.a' and business_date = any ($1) and attempts > 0"
    )
    wait_until(lambda: bool(running.stack.sql(taken, days)), 60, "the batch", pause=0.01)
    seconds = running.launch("probe", "probe.a", probe)
    wait_until(lambda: len(running.runs("batch")) >= max(len(days), 1), 120, "the batch's runs")
    running.drop_lineage()
    return seconds


def run(running: Deployment, quick: bool) -> list[Row]:
    """The rows: the worst of some launches each."""
    sizes = {1: 1, 10: 1} if quick else {1: 2, 100: 1, 500: 1}
    days, probes = _days(running, 0), _days(running, 0)
    worst = {
        size: max(_just_after(running, [next(days) for _ in range(size)], next(probes)) for _ in range(times))
        for size, times in sizes.items()
    }
    return [
        Row(
            f"a source ready just after a batch of {size}",
            seconds,
            "s",
            "" if size == 1 else "after a batch of one",
            worst[1],
            3 if 1 < size <= 100 else math.inf,
            note=f"the worst of {sizes[size]}",
        )
        for size, seconds in worst.items()
    ]


def _days(running: Deployment, start: int) -> Iterator[dt.date]:
    number = start
    while True:
        yield running.day(number)
        number += 1
