"""``airflow readiness report``: a source log from the shell."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from airflow_readiness.core.names import split_source
from airflow_readiness.errors import BadInput
from airflow_readiness.operating.refusal import plainly
from airflow_readiness.store.store import Store

#: What a ``bigint`` of Postgres holds.
MOST_ROWS: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Reported:
    """A log row that was written."""

    source: str
    business_date: dt.date | None
    load_id: str

    @property
    def exit_code(self) -> int:
        """0: it was written."""
        return 0

    def to_json(self) -> dict[str, Any]:
        """The row."""
        day = self.business_date.isoformat() if self.business_date else None
        return {"source": self.source, "business_date": day, "load_id": self.load_id}

    def parts(self) -> Iterator[str]:
        """A sentence."""
        for_ = f"for {self.business_date}" if self.business_date else "for the date whose window is open"
        yield f"{self.source} was reported {for_}, load_id {self.load_id}."


async def report(
    store: Store, source: str, day: dt.date | None, rows: int | None = None, load_id: str | None = None
) -> Reported:
    """Insert a log row, as any log writer does.

    :param rows: how many rows were loaded
    :param load_id: the same id twice is one log; none: a new one
    :raises BadInput: if an argument cannot be used
    """
    names = split_source(source)
    if rows is not None and not 0 <= rows <= MOST_ROWS:
        raise BadInput(f"{rows} is no number of rows: give one from 0 to {MOST_ROWS}")
    with plainly():
        (row,) = await store.fetch("report_log", *names, day, rows, load_id)
    return Reported(source, day, row["load_id"])
