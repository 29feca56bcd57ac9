"""What a DAG author pays: parsing a file of 200 flows, and the import of the package."""

from __future__ import annotations

import statistics
from typing import Final

from tests.bench.child import started
from tests.bench.rows import Row

_FLOWS: Final = 200
_OURS: Final = """
from airflow.sdk import DAG
from airflow_readiness import ready, source

dags = [
    DAG(
        f"flow_{n}",
        schedule=ready(source(f"hive.orders_{n}") & source(f"hive.rates_{n}")),
    )
    for n in range(FLOWS)
]
"""
_PLAIN: Final = """
from airflow.sdk import DAG, Asset, PartitionedAssetTimetable

dags = [
    DAG(
        f"flow_{n}",
        schedule=PartitionedAssetTimetable(assets=Asset(f"hive.orders_{n}") & Asset(f"hive.rates_{n}")),
    )
    for n in range(FLOWS)
]
"""


async def measure(quick: bool) -> list[Row]:
    """Both in turn, so that what else the machine does meets both; medians."""
    files = {name: text.replace("FLOWS", str(_FLOWS)) for name, text in (("ours", _OURS), ("plain", _PLAIN))}
    seconds: dict[tuple[str, bool], list[float]] = {
        (name, stored): [] for name in files for stored in (False, True)
    }
    async with started("tests.bench.parsing", AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR") as parsing:
        imports = [await parsing.ask("run_import") for _ in range(3 if quick else 5)]
        await parsing.ask("warm")
        for _ in range(3 if quick else 9):
            for (name, stored), times in seconds.items():
                times.append(await parsing.ask("parse", files[name], stored))
    median = {key: statistics.median(times) for key, times in seconds.items()}
    beside = "plain PartitionedAssetTimetable"
    note = "a fork of a process that has imported Airflow, as the DAG processor forks for each file"
    return [
        Row(
            f"a DAG file of {_FLOWS} flows, run",
            median["ours", False],
            "s",
            beside,
            median["plain", False],
            1.1,
            note=note,
        ),
        Row("the same, and serialised", median["ours", True], "s", beside, median["plain", True]),
        Row(
            "import of airflow_readiness, and ready(source(…)), after airflow.sdk",
            statistics.median(imports),
            "s",
            reach=0.05,
            by_ratio=False,
        ),
    ]
