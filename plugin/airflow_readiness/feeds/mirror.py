"""Makes a table in Greenplum equal to what Postgres has.

Both sides are asked what each bucket of rows (an hour of logs, a date and a part of the sources) is like;
where the answers differ, Postgres sends the bucket and Greenplum takes it in place of what it has. There is
no cursor that a late commit could slip under, and nothing to be repaired after a sync that was killed: it
compares again. Rows that Postgres no longer has stay: Greenplum keeps the history.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from airflow_readiness.feeds import sql

if TYPE_CHECKING:
    from psycopg.abc import Buffer

    from airflow_readiness.feeds.connect import Connection

_log = logging.getLogger(__name__)

#: Compared again each time, before what was equal the last time: longer than a transaction that writes logs.
OVERLAP: Final = dt.timedelta(days=2)
#: Rows that go to Greenplum in one transaction.
BATCH_ROWS: Final = 20_000
#: Of more buckets than these, everything is sent.
MOST_BUCKETS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Mirror:
    """A table of Greenplum and the rows of Postgres that it is to have (query ``<name>_rows``)."""

    name: str
    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def staged(self) -> str:
        """Where a batch arrives."""
        return f"staged_{self.name}"


SOURCE_LOG: Final = Mirror(
    "source_log",
    "readiness.source_log_data",
    ("log_key",),
    (
        "log_key",
        "fm_table",
        "source_database",
        "source_table",
        "business_date",
        "logged_at",
        "load_id",
        "row_count",
    ),
)
PROCESSED_LOG: Final = Mirror(
    "processed_log",
    "readiness.processed_log",
    ("source_database", "source_table", "business_date"),
    (
        "source_database",
        "source_table",
        "business_date",
        "state",
        "log_count",
        "logs",
        "row_count",
        "last_log_at",
        "setting_id",
        "needed",
        "window_start",
        "deadline_at",
        "window_end",
        "ready_at",
        "missed_at",
        "changed_at",
        "closed",
    ),
)
MIRRORS: Final = {each.name: each for each in (SOURCE_LOG, PROCESSED_LOG)}


def sync(
    mirror: Mirror, ours: Connection, theirs: Connection, *, days: int = 0, batch_rows: int = BATCH_ROWS
) -> int:
    """Compare, and send what differs. The number of rows sent.

    :param days: compare at least so far back; else from :data:`OVERLAP` before the last comparison on, and
        everything the first time
    :param batch_rows: rows of a transaction in Greenplum
    """
    now = _value(ours, sql.postgres("clock"))
    compared_at = _value(theirs, sql.greenplum("compared_at"), mirror=mirror.name)
    since = None
    if compared_at is not None:
        since = min(compared_at - OVERLAP, now - dt.timedelta(days=days))
    buckets = _differing(mirror, ours, theirs, since)
    sent = _send(mirror, ours, theirs, since, buckets, batch_rows) if buckets else 0
    with theirs.transaction():
        theirs.execute(sql.greenplum("forget_compared_at"), {"mirror": mirror.name})
        theirs.execute(sql.greenplum("save_compared_at"), {"mirror": mirror.name, "compared_at": now})
    _log.info("%s since %s: %d buckets differed, %d rows sent", mirror.name, since, len(buckets), sent)
    return sent


def _value(connection: Connection, query: bytes, **parameters: Any) -> Any:
    row = connection.execute(query, parameters or None).fetchone()
    return row[0] if row else None


def _differing(mirror: Mirror, ours: Connection, theirs: Connection, since: dt.datetime | None) -> list[str]:
    """The buckets of Postgres that Greenplum has not, or has otherwise."""
    name, window = f"{mirror.name}_rows", {"since": since}
    query = sql.greenplum("digest", rows=sql.greenplum(name).decode())
    there = {bucket: rest for bucket, *rest in theirs.execute(query, window)}
    query = sql.greenplum("digest", rows=sql.postgres(name).decode())
    return [bucket for bucket, *rest in ours.execute(query, window) if there.get(bucket) != rest]


def _send(
    mirror: Mirror,
    ours: Connection,
    theirs: Connection,
    since: dt.datetime | None,
    buckets: list[str],
    batch_rows: int,
) -> int:
    names = ", ".join(mirror.columns)
    query = sql.postgres("copy_out", rows=sql.postgres(f"{mirror.name}_rows").decode(), columns=names)
    window = {"since": since, "buckets": buckets if len(buckets) <= MOST_BUCKETS else None}
    theirs.execute(sql.greenplum("stage", staged=mirror.staged, table=mirror.table))
    with ours.cursor() as cursor, cursor.copy(query, window) as rows:
        return _apply(mirror, theirs, rows, batch_rows)


def _apply(mirror: Mirror, theirs: Connection, rows: Iterable[Buffer], batch_rows: int) -> int:
    """Each batch is a transaction: the rows it brings, in place of those of the same key."""
    names = {"staged": mirror.staged, "table": mirror.table, "columns": ", ".join(mirror.columns)}
    same_key = " and ".join(f"t.{column} = s.{column}" for column in mirror.key)
    sent, count = 0, batch_rows
    rows = iter(rows)
    while count == batch_rows:
        with theirs.transaction(), theirs.cursor() as cursor:
            count = 0
            with cursor.copy(sql.greenplum("fill", **names)) as arriving:
                for row in islice(rows, batch_rows):
                    arriving.write(row)
                    count += 1
            cursor.execute(sql.greenplum("remove", same_key=same_key, **names))
            cursor.execute(sql.greenplum("add", **names))
        sent += count
    return sent
