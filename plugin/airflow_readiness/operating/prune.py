"""``airflow readiness prune``: retention, in batches; a batch is done or not, so it may be stopped at any time.

What a day's arrival was outlives its row of the processed logs (``readiness.arrival``): the usual times
stand on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from airflow_readiness.errors import BadInput
from airflow_readiness.operating.refusal import plainly
from airflow_readiness.operating.show import Grid
from airflow_readiness.store.store import Store, open_store

#: Days for which things are kept, and for which daily arrivals are.
KEEP_DAYS: Final = 180
KEEP_ARRIVALS: Final = 1100
#: More are as good as for ever, and no date is that old.
MOST_DAYS: Final = 36500
#: Rows of one batch.
BATCH: Final = 5000
#: In this order: what is left behind by one is what the next may take.
TABLES: Final = (
    "launch_run",
    "rerun_run",
    "rerun",
    "launch_plan",
    "launch",
    "processed_log",
    "fm_log",
    "log_setting",
    "source_option",
    "alarm",
    "arrival",
)

#: Told of each batch: the table, rows deleted so far, and how many there are to delete.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows of each table were deleted, or would be."""

    keep_days: int
    rows: dict[str, int]
    dry_run: bool

    @property
    def exit_code(self) -> int:
        """0: everything that is older is gone (or would be)."""
        return 0

    def to_json(self) -> dict[str, Any]:
        """Rows by table."""
        return {"keep_days": self.keep_days, "dry_run": self.dry_run, "rows": dict(self.rows)}

    def parts(self) -> Iterator[str | Grid]:
        """A table."""
        yield Grid(
            ("table", "rows to delete" if self.dry_run else "rows deleted"),
            [(f"readiness.{name}", f"{number}") for name, number in self.rows.items()],
        )


async def prune(
    store: Store,
    keep_days: int = KEEP_DAYS,
    keep_arrivals: int = KEEP_ARRIVALS,
    *,
    dry_run: bool = False,
    batch: int = BATCH,
    progress: Progress = lambda _table, _done, _all: None,
) -> Pruned:
    """Delete what is older, and has come to its end.

    :param keep_days: at least 35
    :param keep_arrivals: days for which daily arrivals are kept; at least 35
    :raises BadInput: if that is too few, or too many
    """
    if (most := max(keep_days, keep_arrivals)) > MOST_DAYS:
        raise BadInput(f"{most} days are too many to keep: keep {MOST_DAYS} at the most")
    days = dict.fromkeys(TABLES, keep_days) | {"arrival": keep_arrivals}
    rows: dict[str, int] = {}
    with plainly():
        # before anything is deleted: it may be refused
        await store.fetch("prunable", "arrival", keep_arrivals)
        for table in TABLES:
            (found,) = await store.fetch("prunable", table, days[table])
            rows[table] = found["number"] if dry_run else 0
            while not dry_run:
                progress(table, rows[table], found["number"])
                (done,) = await store.fetch("prune", table, days[table], batch)
                if not done["deleted"]:
                    break
                rows[table] += done["deleted"]
    return Pruned(keep_days, rows, dry_run)


def prune_now(keep_days: int = KEEP_DAYS, keep_arrivals: int = KEEP_ARRIVALS) -> dict[str, int]:
    """The same, for a task of a DAG: by the connection of the deployment. Rows by table.

    :raises BadInput: if that is too few
    """
    from airflow_readiness import config

    endpoint = config.postgres_endpoint(config.load())

    async def work() -> Pruned:
        async with open_store(endpoint) as store:
            return await prune(store, keep_days, keep_arrivals)

    return asyncio.run(work()).rows
