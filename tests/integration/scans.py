"""What a query did: Postgres counts, for each table and index, the scans of this transaction."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from airflow_readiness.store.store import Store

#: The tables that grow for ever.
HISTORY = ("fm_log", "processed_log", "launch", "launch_run")


@dataclass(frozen=True, slots=True)
class Scans:
    """By table and by index, those inside functions among them."""

    whole: dict[str, int]
    by_index: dict[str, int]
    #: entries of indexes that were looked at
    entries: int


async def scans_of(store: Store, work: Awaitable[Any]) -> Scans:
    """What this work did, in a transaction of the store's."""
    before = await counted(store)
    await work
    after = await counted(store)
    done = {
        key: (after[key][0] - before[key][0], after[key][1] - before[key][1]) for key in after if key in before
    }
    return Scans(
        {table: done[table][0] for table in HISTORY},
        {index: number for index, (number, _) in done.items() if number and index not in HISTORY},
        sum(entries for index, (_, entries) in done.items() if index not in HISTORY),
    )


async def counted(store: Store) -> dict[str, tuple[int, int]]:
    """Scans, and entries that they returned, so far."""
    rows = await store.connection.fetch(
        "select c.relname, pg_stat_get_xact_numscans(c.oid) as scans, "
        "       pg_stat_get_xact_tuples_returned(c.oid) as tuples "
        "from pg_class as c left join pg_index as i on i.indexrelid = c.oid "
        "where (c.relname = any ($1) or i.indrelid::regclass::text = any ($2)) "
        "  and c.relnamespace = 'readiness'::regnamespace",
        HISTORY,
        [f"readiness.{table}" for table in HISTORY],
    )
    return {row["relname"]: (row["scans"], row["tuples"]) for row in rows}
