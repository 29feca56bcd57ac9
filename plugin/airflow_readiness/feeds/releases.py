"""Loads the settings that were released in Greenplum into Postgres: in the order of release, each once."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_readiness.feeds import sql

if TYPE_CHECKING:
    from airflow_readiness.feeds.connect import Connection

_log = logging.getLogger(__name__)

#: Looked at again each time: longer than a release takes from its first statement to its commit.
OVERLAP: Final = dt.timedelta(days=7)
#: Releases that are loaded in one transaction: each source locks until its end.
BATCH: Final = 500


@dataclass(slots=True)
class Loaded:
    """What came of one load: settings that are in force now or were for a moment, and those that are not."""

    in_force: int = 0
    refused: int = 0


def load(ours: Connection, theirs: Connection, *, batch: int = BATCH) -> Loaded:
    """Load what is not known yet. Killed at any moment, the next load goes on where it stopped.

    A release that cannot be used is refused, once, with a sentence in the log; the others are loaded.
    """
    loaded = Loaded()
    (last,) = ours.execute(sql.postgres("last_release")).fetchone() or (None,)
    window = {"since": last and last - OVERLAP}
    with theirs.transaction(), theirs.cursor("readiness_releases") as cursor:
        cursor.execute(sql.greenplum("releases"), window)
        names = [column.name for column in cursor.description or ()]
        while rows := cursor.fetchmany(batch):
            with ours.transaction():
                _load([dict(zip(names, row, strict=True)) for row in rows], ours, loaded)
    return loaded


def _load(releases: list[dict[str, Any]], ours: Connection, loaded: Loaded) -> None:
    window = {"since": releases[0]["released_at"]}
    known, newest = set(), dict[tuple[str, str], dt.datetime]()
    for release_id, database, table, released_at in ours.execute(sql.postgres("known_releases"), window):
        known.add(release_id)
        newest[database, table] = max(released_at, newest.get((database, table), released_at))
    end = releases[-1]["released_at"]
    for release in releases:
        if release["superseded_at"] and release["superseded_at"] > end:
            # by one that comes in a later transaction: until then an older one would be in force
            newest[_source(release)] = release["superseded_at"]
    for release in releases:
        if release["release_id"] in known:
            continue
        if newest.get(_source(release), release["released_at"]) > release["released_at"]:
            release |= {"setting_id": None, "refused": "superseded before it was loaded"}
        else:
            release |= _set(release, ours)
            loaded.in_force += release["refused"] is None
            loaded.refused += release["refused"] is not None
        ours.execute(sql.postgres("release_known"), release)


def _source(release: dict[str, Any]) -> tuple[str, str]:
    return release["source_database"], release["source_table"]


def _set(release: dict[str, Any], ours: Connection) -> dict[str, Any]:
    """Put a release in force: its ``setting_id``, or why it was ``refused``."""
    import psycopg

    try:
        with ours.transaction():
            row = ours.execute(sql.postgres("set_log_settings"), release).fetchone()
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        reason = ": ".join(filter(None, (error.diag.message_primary, error.diag.message_hint)))
        _log.warning(
            "the settings of %s.%s that %s released in Greenplum at %s are refused: %s",
            release["source_database"],
            release["source_table"],
            release["released_by"],
            release["released_at"],
            reason,
        )
        return {"setting_id": None, "refused": reason}
    return {"setting_id": row and row[0], "refused": None}
