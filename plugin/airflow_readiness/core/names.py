"""Names of sources, of their assets and of their keys in Redis."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from airflow_readiness.errors import BadName

#: One part of ``database.table``; the SQL schema checks the same pattern.
PART: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_$-]{0,254}")

SOURCE_GROUP: Final = "readiness"
LAUNCH_GROUP: Final = "readiness-launch"
KEY_PREFIX: Final = "readiness:"
#: The DAGs of ``readiness_dags()``; the third only where somebody is to be told.
PROCESSOR: Final = "readiness_processor"
COLLECTOR: Final = "readiness_collector"
ALARMS: Final = "readiness_alarms"
#: The kinds of alarms, and the channel on which Postgres tells that there may be one.
MISSED: Final = "missed"
LATE: Final = "late"
AT_RISK: Final = "at_risk"
ALARM_CHANNEL: Final = "readiness_alarm"
#: The channel on which a worker asks the registrar for a look at Airflow.
REGISTRAR_CHANNEL: Final = "readiness_registrar"
#: The page of the board: ``/plugin/readiness`` in Airflow's UI.
BOARD_ROUTE: Final = "readiness"
#: The pool of one slot in which the collector's tasks take turns.
POOL: Final = "readiness_collector"
#: Says which Postgres the keys in Redis were written from; its absence means that Redis came back empty.
SNAPSHOT_KEY: Final = "readiness:snapshot"


def split_source(name: object) -> tuple[str, str]:
    """``"hive.sales"`` → ``("hive", "sales")``.

    :raises BadName: for anything that is not ``database.table``
    """
    parts = name.split(".") if isinstance(name, str) else []
    if len(parts) != 2 or not all(PART.fullmatch(part) for part in parts):
        raise BadName(
            f"{name!r} is not a source name: write it as 'database.table', "
            "each part of at most 255 letters, digits, '_', '-' or '$'"
        )
    return parts[0], parts[1]


def source_uri(name: str) -> str:
    """The URI of a source's asset: ``readiness://database/table``."""
    database, table = split_source(name)
    return f"readiness://{database}/{table}"


def launch_id(condition: str) -> str:
    """A short, stable id of a condition's canonical text, for URIs and keys."""
    return hashlib.sha256(condition.encode()).hexdigest()[:20]


def launch_name(condition: str, *, single: bool) -> str:
    """The name of the asset that stands for a condition: its canonical text.

    Two active assets of Airflow never share a name, and a condition of one source reads like the
    source; so it is told apart.
    """
    return f"{condition} (launch)" if single else condition


def launch_uri(condition: str) -> str:
    """The URI of the asset that stands for a condition."""
    return f"readiness-launch://condition/{launch_id(condition)}"


def source_key(name: str, business_date: str) -> str:
    """The Redis key of a source's readiness for a date."""
    return f"{KEY_PREFIX}{name}:{business_date}"


def launch_key(condition: str, business_date: str) -> str:
    """The Redis key of a launch, made or planned. No source has this key: it has no dot."""
    return f"{KEY_PREFIX}launch:{launch_id(condition)}:{business_date}"
