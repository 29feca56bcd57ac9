"""Half-ready (flow, date) pairs, then one flow complete → its first task.

Airflow's own way keeps a pending row for each pair and looks at the oldest 500 in each loop.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
import statistics
import time
from collections.abc import Iterator

from tests.bench import size
from tests.bench.deployment import FIRST, Deployment
from tests.bench.rows import Row

#: Flows that stay half ready; so many dates of each are a thousand pairs.
PAIRS = 100
#: Seconds that Airflow's own way is given.
NATIVE = 15.0

_FLOWS = """
for number in range({pairs}):
    with DAG(f"half_{number}", schedule=ready(source(f"half.a{number}") & source(f"half.b{number}"))):
        first()

with DAG("whole", schedule=ready(source("whole.a") & source("whole.b"))):
    first()

for name in ("native_half", "native_whole"):
    with DAG(name, schedule=PartitionedAssetTimetable(assets=Asset(f"{name}.a") & Asset(f"{name}.b"))):
        first()
"""
DAGS = {"half_ready.py": FIRST + _FLOWS.replace("{pairs}", str(PAIRS))}
FLOWS = PAIRS + 1


def _latency(running: Deployment, days: Iterator[dt.date], times: int) -> float:
    """The median of some launches of the flow that becomes complete."""
    seconds = []
    for day in itertools.islice(days, times):
        running.wait_until_quiet()
        seconds.append(running.launch("whole", "whole.b", day))
    return statistics.median(seconds)


def _half(running: Deployment, start: int, stop: int) -> None:
    """Have one source of each pair ready, for the dates of these numbers."""
    days = [running.day(500 + number) for number in range(start, stop)]
    running.expect([f"half.{letter}{number}" for letter in "ab" for number in range(PAIRS)], days)
    running.log([f"half.a{number}" for number in range(PAIRS)], days)
    # their own events in Airflow (lineage) would keep the collector busy for an hour, launches coming first
    running.wait_until_known("half.a%", stop * PAIRS)


def _native(running: Deployment, pairs: int) -> float:
    """The latency beside so many half-ready pairs of Airflow's own; infinite if it does not launch."""
    ids = {name: running.asset(name) for name in ("native_half.a", "native_whole.a", "native_whole.b")}

    def publish(name: str, day: dt.date) -> None:
        body = {"asset_id": ids[name], "partition_key": day.isoformat(), "extra": {}}
        running.stack.rest.call("POST", "/api/v2/assets/events", body)

    for number in range(pairs):
        publish("native_half.a", running.day(number))
    day = running.day(0)
    publish("native_whole.a", day)
    publish("native_whole.b", day)
    since = time.time()
    try:
        return running.wait_until_began("native_whole", day.isoformat(), NATIVE) - since
    except TimeoutError:
        return float("inf")
    finally:
        # or nothing of Airflow's own would be launched any more in this deployment
        running.stack.sql(
            "delete from asset_partition_dag_run where created_dag_run_id is null", database="airflow"
        )


def run(running: Deployment, quick: bool) -> list[Row]:
    """The rows."""
    times, sizes = (1, (100,)) if quick else (size.BESIDE, (1000, 5000, 10_000))
    wanted = [running.day(number) for number in range(times * (1 + len(sizes)))]
    running.expect(["whole.a", "whole.b"], wanted)
    running.log(["whole.a"], wanted)
    running.wait_until_known("whole.a", len(wanted))
    days = iter(wanted)
    none = _latency(running, days, times)
    rows, done = [], 0
    for pairs in sizes:
        _half(running, done, pairs // PAIRS)
        done = pairs // PAIRS
        seconds = _latency(running, days, times)
        rows.append(Row(f"launch beside {pairs} half-ready pairs, median", seconds, "s", "none", none, 1.2))
    pairs = 10 if quick else 510
    seconds = _native(running, pairs)
    note = f"it had not launched after {NATIVE:g} s" if math.isinf(seconds) else ""
    rows.append(Row(f"the same beside {pairs} by PartitionedAssetTimetable", seconds, "s", note=note))
    return rows
