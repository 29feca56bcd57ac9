"""What a flow on dbt models pays at every parse of its file: a manifest of 2 000 models, read and walked.

Every parse is a process of its own, and so is every measurement.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.rows import Row
from tests.dbt_manifest import PROJECT, big, write

MODELS = 2000
SELECT = "+model_0050_19+"

_TIME = """
import time
{warm}
began = time.perf_counter()
{work}
print("seconds", time.perf_counter() - began)
"""
# Airflow loads its providers at the first asset: imports are measured apart
_IMPORTED = "from airflow_readiness import dbt, ready, source; ready(source('a.b'))"
_OURS = "ready(dbt({path!r}, select={select!r}))"
_COSMOS_IMPORTED = """
from pathlib import Path
from cosmos import ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import LoadMode
from cosmos.dbt.graph import DbtGraph
"""
_COSMOS = """
graph = DbtGraph(
    project=ProjectConfig(manifest_path={path!r}, project_name={project!r}),
    render_config=RenderConfig(load_method=LoadMode.DBT_MANIFEST, select=[{select!r}]),
    execution_config=ExecutionConfig(dbt_project_path={folder!r}),
)
graph.load_from_dbt_manifest()
assert graph.filtered_nodes
"""


def _milliseconds(times: int, work: str, warm: str = "") -> float:
    script = _TIME.format(work=work, warm=warm)

    def once() -> float:
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("seconds ")]
        return float(line.split()[1]) * 1000

    return statistics.median(once() for _ in range(times))


def measure(quick: bool) -> list[Row]:
    """The first and each further ``dbt()`` of a file; beside them ``json.load``, and Cosmos on the same."""
    times = 1 if quick else 3
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "manifest.json", big(MODELS))
        size = path.stat().st_size / 1e6
        names = {"path": str(path), "select": SELECT, "project": PROJECT, "folder": folder}
        ours = _OURS.format(**names)
        first = _milliseconds(times, ours, _IMPORTED)
        further = _milliseconds(times, ours, f"{_IMPORTED}; {ours}")
        plain = _milliseconds(times, f"json.load(open({str(path)!r}))", "import json")
        cosmos = _milliseconds(times, _COSMOS.format(**names), _COSMOS_IMPORTED)
    what = f"ready(dbt()) in a DAG file: {MODELS} models, {size:.0f} MB"
    note = f"the median of {times} processes"
    return [
        Row(what, first, "ms", "json.load", plain, 0.5, note=note),
        Row(what, first, "ms", "DbtDag's own reading", cosmos, 0.2, note=note),
        Row("each further dbt() of a file", further, "ms", reach=50, by_ratio=False, note=note),
    ]
