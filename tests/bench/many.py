"""Hundreds of flows on two sources each, all ready in one second, beside Airflow's own way.

Airflow's own way: ``PartitionedAssetTimetable(a & b)``, and a task for each source that publishes it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from airflow_readiness.demo.processes import wait_until
from tests.bench.deployment import FIRST, SLOTS, Deployment
from tests.bench.rows import Row

#: How many times our time Airflow's own way is given.
PATIENCE = 5.1
#: Flows in a file, and pairs of sources of a publishing DAG: each worker reads the whole file.
_PART = 25

_OURS = """
for number in range({start}, {stop}):
    with DAG(f"many_{number}", schedule=ready(source(f"many.a{number}") & source(f"many.b{number}"))):
        first()
"""
_NATIVE = """
for number in range({start}, {stop}):
    assets = Asset(f"native.a{number}") & Asset(f"native.b{number}")
    with DAG(f"native_{number}", schedule=PartitionedAssetTimetable(assets=assets)):
        first()
"""
_PUBLISHERS = """
with DAG("publish_{part}", schedule=None, max_active_tasks=1000):
    for number in range({start}, {stop}):
        for name in (f"native.a{number}", f"native.b{number}"):
            asset = Asset(name)

            @task(task_id=name.replace(".", "_"), outlets=[asset])
            def publish(asset, **context):
                context["outlet_events"][asset].add_partitions([context["params"]["day"]])

            publish(asset)
"""


def _text(text: str, **values: int) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def dags(count: int) -> dict[str, str]:
    """The DAG files for so many flows of each kind."""
    texts = {"many": _OURS, "native": _NATIVE, "publish": _PUBLISHERS}
    return {
        f"{name}_{part}.py": FIRST + _text(text, part=part, start=start, stop=min(start + _PART, count))
        for part, start in enumerate(range(0, count, _PART))
        for name, text in texts.items()
    }


def run(running: Deployment, count: int) -> list[Row]:
    """The rows."""
    day = running.day(400)
    sources = [f"many.{letter}{number}" for letter in "ab" for number in range(count)]
    running.expect(sources, [day])
    running.wait_until_quiet()
    committed = running.log(sources, [day])
    ours = _wait_for_runs(running, "many\\_%", count, committed, 300)
    created = ours[-1] - committed
    started = _wait_for_starts(running, "many\\_%", count, 600) - committed
    running.drop_lineage()

    running.wait_until_quiet()
    asked = time.time()
    for part in range(math.ceil(count / _PART)):
        body = {"logical_date": None, "conf": {"day": day.isoformat()}}
        running.stack.rest.call("POST", f"/api/v2/dags/publish_{part}/dagRuns", body)
    native = _wait_for_runs(running, "native\\_%", count, asked, created * PATIENCE)
    theirs = (native[-1] if len(native) == count else time.time()) - asked
    title = f"{count} flows ready at once"
    late = f"{len(native)} of the {count} runs of Airflow's own way had been made when its time was over"
    return [
        Row(f"{title}: lost", count - len(ours), "", reach=0, by_ratio=False),
        Row(
            f"{title}: last run created",
            created,
            "s",
            "a publishing task per source",
            theirs,
            0.2,
            note=late if len(native) < count else "",
        ),
        Row(f"{title}: last first task started", started, "s", note=f"on {SLOTS} slots"),
    ]


def _wait_for_runs(running: Deployment, like: str, count: int, since: float, seconds: float) -> list[float]:
    """When the runs since an instant were created, once all are, or the time is over."""

    def found() -> list[float]:
        return [at for at in running.runs(like) if at >= since - 1]

    _patiently(lambda: len(found()) >= count, seconds)
    return found()


def _wait_for_starts(running: Deployment, like: str, count: int, seconds: float) -> float:
    """When the last of so many first tasks began (seconds since the epoch)."""
    query = (
        "select count(*) as n, extract(epoch from max(start_date))::float8 as at from task_instance "
        "where dag_id like $1 and start_date is not null"
    )

    def found() -> tuple[int, float]:
        (row,) = running.stack.sql(query, like, database="airflow")
        return int(row["n"]), float(row["at"] or 0)

    wait_until(lambda: found()[0] >= count, seconds, "the start of all", pause=0.5)
    return found()[1]


def _patiently(condition: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.25)
