"""Everything that is measured, in one run: ``make bench`` (``QUICK=1`` for the code path only)."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from tests.bench import half_ready, launch, many, turnover
from tests.bench.deployment import deployment
from tests.bench.rows import Row, table


def in_airflow(quick: bool, only: list[str]) -> tuple[list[Row], dict[str, list[float]]]:
    flows = 20 if quick else 500
    dags = launch.dags(quick) | turnover.DAGS | half_ready.DAGS | many.dags(flows)
    rows = []
    with deployment(dags, launch.FLOWS + turnover.FLOWS + half_ready.FLOWS + flows) as running:
        print("ready", flush=True)
        if "launch" in only:
            found, seconds, where = launch.run(running, quick)
            rows += found
            print(found, seconds, where, flush=True)
        if "turnover" in only:
            rows += turnover.run(running, quick)
            print(rows, flush=True)
        if "half" in only:
            rows += half_ready.run(running, quick)
            print(rows, flush=True)
        if "many" in only:
            rows += many.run(running, flows)
            print(rows, flush=True)
    return rows, {}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", default=["launch", "turnover", "half", "many"])
    arguments = parser.parse_args()
    rows, _ = in_airflow(arguments.quick, arguments.only)
    Console(width=150).print(table(rows, "bench"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
