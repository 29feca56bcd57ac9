"""What a DAG author pays: parsing a file of 200 flows, and the import of the package."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.rows import Row

_OURS = """
from airflow.sdk import DAG
from airflow_readiness import ready, source
for number in range(200):
    DAG(f"flow_{number}", schedule=ready(source(f"a.t{number}") & source(f"b.t{number}")))
"""
_PLAIN = """
from airflow.sdk import DAG, Asset, PartitionedAssetTimetable
for number in range(200):
    DAG(f"flow_{number}", schedule=PartitionedAssetTimetable(assets=Asset(f"a.t{number}") & Asset(f"b.t{number}")))
"""
_TIME = """
import sys, time
import airflow.sdk, airflow.sdk.configuration
airflow.sdk.DAG, airflow.sdk.PartitionedAssetTimetable
{warm}
began = time.perf_counter()
{work}
print(time.perf_counter() - began)
"""


def _seconds(work: str, warm: str = "") -> float:
    script = _TIME.format(work=work, warm=warm)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def measure(quick: bool) -> list[Row]:
    """Both, each the median of some processes."""
    times = 3 if quick else 9
    with tempfile.TemporaryDirectory() as folder:
        parse = {}
        for name, text in (("ours", _OURS), ("plain", _PLAIN)):
            file = Path(folder) / f"{name}.py"
            file.write_text(text)
            work = f"exec(compile(open({str(file)!r}).read(), {str(file)!r}, 'exec'), {{}})"
            # imports are measured apart
            warm = "from airflow_readiness import ready, source; ready(source('a.b'))"
            parse[name] = statistics.median(_seconds(work, warm) for _ in range(times))
    imported = statistics.median(
        _seconds("import airflow_readiness; airflow_readiness.ready, airflow_readiness.source")
        for _ in range(times)
    )
    return [
        Row("parse 200 flows", parse["ours"] * 1000, "ms", "plain timetable", parse["plain"] * 1000, 1.1),
        Row("import airflow_readiness", imported * 1000, "ms", "", 0, 50, by_ratio=False),
    ]
