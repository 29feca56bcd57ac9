"""One outside system whose readiness logs are read: an entry of the config."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Final

from airflow_readiness.core import dates
from airflow_readiness.errors import BadInput

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
#: What the window begins with, in SQL of one's own.
SINCE: Final = ":since"
_COARSE_TO_FINE: Final = "YmdHMSf"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSystem:
    """Where the readiness logs of an outside system are, and how its columns are called.

    Give a ``table``, or ``sql`` that returns the columns and reads from ``:since`` on, as in
    ``select … from jobs where finished_at >= :since``. Nothing is checked here: an entry that cannot be
    used fails its own task, with a sentence, and no other.

    :param name: of its task, and of its row in ``readiness.ingest_state``
    :param conn_id: an Airflow connection to any SQL database
    :param source_database: the column that names the source's database
    :param source_table: the column that names the source's table
    :param logged_at: the column with the time of the log
    :param load_id: the column with an id that is the same when the same load is reported again; by
        default each time is a load of its own
    :param business_date: the column with the business date: a date, a timestamp or text
    :param row_count: the column with the number of rows loaded
    :param timezone: of times without one; by default that of the deployment. With ``sql``: say it if its
        times have none, and do not if they have one
    :param time_format: of times that are text, as for ``strptime``, coarse to fine, so that text sorts as time
    :param date_format: of business dates that are text; by default YYYY-MM-DD or YYYYMMDD
    :param overlap: how much is read again each time: longer than any transaction that writes logs
    :param first_read: how far back the first read begins
    :param batch_rows: rows that are held in memory, and written in one transaction
    """

    name: str
    conn_id: str
    source_database: str
    source_table: str
    logged_at: str
    load_id: str | None = None
    business_date: str | None = None
    row_count: str | None = None
    table: str | None = None
    sql: str | None = None
    timezone: str | None = None
    time_format: str | None = None
    date_format: str | None = None
    overlap: dt.timedelta = dt.timedelta(hours=1)
    first_read: dt.timedelta = dt.timedelta(days=2)
    batch_rows: int = 1000

    @property
    def columns(self) -> dict[str, str]:
        """What we call it → what they call it, of the columns that are named."""
        names = {
            "source_database": self.source_database,
            "source_table": self.source_table,
            "logged_at": self.logged_at,
            "load_id": self.load_id,
            "business_date": self.business_date,
            "row_count": self.row_count,
        }
        return {ours: theirs for ours, theirs in names.items() if theirs is not None}


def check(system: LogSystem) -> None:
    """:raises BadInput: naming what is wrong with this entry"""
    problem = _problem(system)
    if problem:
        raise BadInput(f"the outside system {system.name!r}: {problem}")


def _problem(system: LogSystem) -> str | None:
    if not _NAME.fullmatch(system.name):
        return "its name must be of letters, digits, '_', '-' and '.', 100 at the most"
    if (system.table is None) == (system.sql is None):
        return "give either table= or sql="
    if system.sql is not None and SINCE not in system.sql:
        return f"its sql must read from {SINCE} on: write … where finished_at >= {SINCE}"
    if system.overlap <= dt.timedelta(0) or system.first_read <= dt.timedelta(0):
        return "overlap and first_read must be longer than nothing"
    if system.batch_rows < 1:
        return f"batch_rows is {system.batch_rows}: give a number that is at least 1"
    if system.timezone is not None:
        try:
            dates.timezone(system.timezone)
        except BadInput:
            return f"{system.timezone!r} is not a time zone: give a name like 'Europe/Berlin'"
    if system.time_format is not None and not _sorts(system.time_format):
        return (
            f"time_format {system.time_format!r} does not sort as time: write the parts from year to second, "
            "as in '%Y-%m-%d %H:%M:%S', or convert it in sql="
        )
    return None


def _sorts(layout: str) -> bool:
    """Whether text of this format has the order of the times: year, month, day … down to at least a minute."""
    return _COARSE_TO_FINE.startswith("".join(re.findall(r"%(.)", layout))) and layout.count("%") >= 5
