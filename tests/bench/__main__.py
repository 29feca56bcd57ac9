"""Everything that is measured, in one run: ``make bench`` (``QUICK=1`` for the code path only).

Prints one table, writes ``docs/bench.json``, and draws what the README shows. ``FULL=1`` measures what is
larger then, and writes ``docs/bench_full.json``. Nothing is asserted: a row that misses its mark says so.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import inspect
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from tests.bench import authoring, board, dbt_manifest, hub, in_airflow, plots, rows, size, store, triggerer

#: What is measured, in this order.
PARTS: dict[str, Callable[[bool], Any]] = {
    "hub": hub.measure,
    "postgres": store.measure,
    "authoring": authoring.measure,
    "board": board.measure,
    "triggerer": triggerer.measure,
    "dbt": dbt_manifest.measure,
    "airflow": in_airflow.measure,
}
#: Those whose sizes ``FULL=1`` changes.
LARGER = ["triggerer", "airflow"]
ROOT = Path(__file__).parents[2]


def machine() -> dict[str, Any]:
    """What it was measured on."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cores": os.cpu_count(),
        "processor": names[0] if names else platform.processor(),
        "memory_gib": round(psutil.virtual_memory().total / 1024**3),
        "python": platform.python_version(),
        "airflow": version("apache-airflow-core"),
        "date": dt.datetime.now(dt.timezone.utc).date().isoformat(),
    }


def measure(parts: list[str], quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """What these parts have found: their rows, and what the plots need."""
    found: dict[str, Any] = {"machine": machine(), "quick": quick, "full": size.FULL, "rows": [], "seconds": {}}

    def one(name: str) -> rows.Found:
        say(f"{name} …")
        began = time.monotonic()
        part = PARTS[name](quick)
        result = asyncio.run(part) if inspect.iscoroutine(part) else part
        found["seconds"][name] = round(time.monotonic() - began, 1)
        say(f"{name}: {found['seconds'][name]:.0f} s")
        return result if isinstance(result, rows.Found) else rows.Found(result)

    with ThreadPoolExecutor(1) as pool:
        # for the code path alone, the last and longest may be at work beside the others
        beside = [pool.submit(one, name) for name in parts[-1:] if quick]
        results = [one(name) for name in parts[: len(parts) - len(beside)]]
        results += [each.result() for each in beside]
    for result in results:
        found["rows"] += result.rows
        found |= result.more
    return found


def main() -> int:
    """Measure, print, write and draw."""
    usual = LARGER if size.FULL else list(PARTS)
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--quick", action="store_true", help="small numbers, for the code path only")
    parser.add_argument("--only", nargs="+", default=usual, choices=list(PARTS), metavar="PART")
    parser.add_argument("--out", type=Path, default=ROOT, help="the figures and plots go to its docs/")
    arguments = parser.parse_args()
    # a deployment that was started is ended, whoever ends this
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console = Console(width=150 if not sys.stdout.isatty() else None)
    began = time.monotonic()
    found = measure(arguments.only, arguments.quick, lambda what: console.print(what, style="dim"))
    measured: list[rows.Row] = found["rows"]
    host = found["machine"]
    title = f"{host['cores']} cores ({host['processor']}), Airflow {host['airflow']}, Python {host['python']}"
    console.print(rows.table(measured, title))
    for stage, seconds in found.get("timeline", {}).items():
        console.print(f"  {seconds:6.2f} s  {stage}")
    found["seconds"]["all"] = round(time.monotonic() - began, 1)
    console.print(f"{found['seconds']['all']:.0f} s in all")
    missed = [row.work for row in measured if row.result == "missed"]
    console.print("every mark was reached" if not missed else f"missed: {'; '.join(missed)}")
    if arguments.only == usual:
        write(arguments.out, found | {"rows": rows.to_json(measured)})
    return 0


def write(folder: Path, found: dict[str, Any]) -> None:
    """The figures, and the two plots."""
    (folder / "docs").mkdir(parents=True, exist_ok=True)
    name = "bench_full.json" if found.get("full") else "bench.json"
    (folder / "docs" / name).write_text(json.dumps(found, indent=1) + "\n")
    if found.get("full"):
        return
    plots.latency(folder / "docs" / "latency.svg", found["launches"])
    plots.waiting(folder / "docs" / "waiting.svg", found["cost"])


if __name__ == "__main__":
    sys.exit(main())
