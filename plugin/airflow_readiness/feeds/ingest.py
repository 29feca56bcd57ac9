"""Brings the readiness logs of one outside system into ``readiness.fm_log``."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_readiness.core import dates
from airflow_readiness.errors import BadInput
from airflow_readiness.feeds import connect, outside, sql
from airflow_readiness.feeds.system import LogSystem, check
from airflow_readiness.feeds.values import Log, log

if TYPE_CHECKING:
    from airflow_readiness.feeds.connect import Connection

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Read:
    """What came of one read. Rows: ``seen`` in the window, of these ``new`` ones and ``bad`` ones."""

    seen: int = 0
    new: int = 0
    bad: int = 0
    #: The newest row so far.
    newest: dt.datetime | None = None
    complaint: str | None = field(default=None, repr=False)


def ingest(system: LogSystem, conn_id: str | None = None) -> Read | None:
    """Read the window of a system and write what is not there yet. None: somebody else is at it.

    Killed at any moment, it is done again from the start, and nothing is doubled. The rows of a batch and
    the mark up to which was read are one transaction.

    :param conn_id: the Postgres with the schema ``readiness``; by default that of ``[readiness]``
    :raises BadInput: if the entry, or a column that it names, cannot be used
    :raises NotConfigured: if a connection leads nowhere
    """
    check(system)
    with connect.alone(f"ingest {system.name}", conn_id) as mine:
        if not mine:
            return None
        with connect.ours(conn_id) as connection:
            return _ingest(system, connection)


def _ingest(system: LogSystem, connection: Connection) -> Read:
    known = connection.execute(sql.postgres("ingest_state"), {"system": system.name}).fetchone()
    assert known is not None
    read_to, complaint, now, deployment_zone = known
    since = read_to - system.overlap if read_to else now - system.first_read
    zone = dates.timezone(system.timezone or deployment_zone)
    read = Read()
    for rows in outside.batches(system, connect.hook_of(system.conn_id), since, zone, now):
        logs = _usable(system, rows, zone, read)
        with connection.transaction():
            read.new += _write(system, connection, logs)
            # a table is read in the order of time, so up to here nothing is missing; of sql= nobody knows
            if system.table is not None:
                _save(system, connection, read)
    _save(system, connection, read)
    if read.complaint and read.complaint != complaint:
        _log.warning("%s", read.complaint)
    _log.info("%s from %s: %s", system.name, since, read)
    return read


def _usable(system: LogSystem, rows: list[outside.Row], zone: dt.tzinfo, read: Read) -> list[Log]:
    logs = []
    for row in rows:
        read.seen += 1
        try:
            each = log(row, zone, system.time_format, system.date_format)
        except BadInput as error:
            read.bad += 1
            read.complaint = read.complaint or (
                f"the outside system {system.name!r}: a row of {row.get('source_database')!r}, "
                f"{row.get('source_table')!r} is left out: {error}. Correct it there within {system.overlap}, "
                f"or the entry in the config; set read_to of its row in readiness.ingest_state back for more"
            )
            continue
        read.newest = max(each.logged_at, read.newest or each.logged_at)
        logs.append(each)
    return logs


def _write(system: LogSystem, connection: Connection, logs: list[Log]) -> int:
    places = connection.execute(sql.postgres("new_logs"), _columns(system, logs)).fetchall()
    if not places:
        return 0
    new = [logs[place - 1] for (place,) in places]
    return connection.execute(sql.postgres("insert_logs"), _columns(system, new)).rowcount


def _columns(system: LogSystem, logs: list[Log]) -> dict[str, Any]:
    columns: dict[str, Any] = {f"{name}s": [getattr(each, name) for each in logs] for name in Log._fields}
    return columns | {"system": system.name}


def _save(system: LogSystem, connection: Connection, read: Read) -> None:
    state = {"system": system.name, "read_to": read.newest, "complaint": read.complaint}
    connection.execute(sql.postgres("save_ingest_state"), state)
