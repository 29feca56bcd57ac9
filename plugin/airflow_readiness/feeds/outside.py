"""Reads the window of an outside system, a batch at a time, through whatever driver Airflow has for it."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from airflow_readiness.errors import BadInput
from airflow_readiness.feeds.system import SINCE, LogSystem

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

#: Drivers that bring the whole result to the client, unless the cursor has a name.
_NAMED_CURSORS: Final = ("psycopg", "psycopg2")
#: Drivers that quote a name in another way than SQL does.
_BACKTICKS: Final = ("MySQLdb", "pymysql", "mysql")

#: A row by our names.
Row: TypeAlias = dict[str, Any]


def batches(
    system: LogSystem, hook: DbApiHook, since: dt.datetime, zone: dt.tzinfo, now: dt.datetime
) -> Iterator[list[Row]]:
    """What the system has from ``since`` on; of a table in the order of time.

    :param since: an instant
    :param zone: of times that have none
    :param now: an instant: a clock may have gone back between the two
    :raises BadInput: if a column is not there, or its times cannot be compared
    """
    with closing(hook.get_conn()) as connection:
        driver = type(connection).__module__.partition(".")[0]
        query = system.sql
        aware = system.timezone is None
        if query is None:
            columns = _columns(system, connection)
            quoted = {ours: _quoted(hook, driver, columns[theirs]) for ours, theirs in system.columns.items()}
            newest = _first(connection, f"select max({quoted['logged_at']}) from {system.table}")
            if newest is None:
                return
            aware = _has_zone(system, newest)
            names = ", ".join(dict.fromkeys(quoted.values()))
            query = (
                f"select {names} from {system.table} "
                f"where {quoted['logged_at']} >= {SINCE} order by {quoted['logged_at']}"
            )
        begin = _bound(system, since, now, zone, aware=aware)
        yield from _read(system, hook, connection, driver, query, begin, aware=aware)


def _columns(system: LogSystem, connection: Any) -> dict[str, str]:
    """The columns of the config → as the database spells them."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(f"select * from {system.table} where 1 = 0")
        there = [str(column[0]) for column in cursor.description]
    return {theirs: there[_place(system, theirs, there)] for theirs in system.columns.values()}


def _place(system: LogSystem, column: str, there: Sequence[str]) -> int:
    """Where a column is; upper and lower case do not matter where they do not tell two apart."""
    if column in there:
        return there.index(column)
    alike = [place for place, name in enumerate(there) if name.casefold() == column.casefold()]
    if len(alike) == 1:
        return alike[0]
    what = f"table {system.table}" if system.table is not None else "sql"
    raise BadInput(
        f"the outside system {system.name!r}: its {what} has no column {column!r}; "
        f"its columns are: {', '.join(there)}"
    )


def _quoted(hook: DbApiHook, driver: str, name: str) -> str:
    # as the database spells it, so that neither its case nor a reserved word is in the way
    quotes = "`{}`" if driver in _BACKTICKS else hook.escape_word_format
    return quotes.format(name.replace(quotes[-1], quotes[-1] * 2))


def _first(connection: Any, query: str) -> Any:
    with closing(connection.cursor()) as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def _has_zone(system: LogSystem, newest: Any) -> bool:
    """Whether the times of a table have a time zone, by one of them."""
    if isinstance(newest, str) and system.time_format is not None:
        return False
    if isinstance(newest, dt.datetime):
        return newest.tzinfo is not None
    remedy = (
        "say time_format" if isinstance(newest, str) else "name a column of timestamps, or convert it in sql="
    )
    raise BadInput(
        f"the outside system {system.name!r}: {system.logged_at!r} holds {newest!r}, no timestamp: {remedy}"
    )


def _bound(
    system: LogSystem, since: dt.datetime, now: dt.datetime, zone: dt.tzinfo, *, aware: bool
) -> dt.datetime | str:
    """What the times of the system are compared with, in their own kind."""
    if aware and system.time_format is None:
        return since
    local = since.astimezone(zone)
    offset, later = local.utcoffset(), now.astimezone(zone).utcoffset()
    wall = local.replace(tzinfo=None)
    if offset is not None and later is not None and later < offset:
        # the clocks went back: an hour is written twice, and the second one looks older than it is
        wall -= offset - later
    return wall if system.time_format is None else wall.strftime(system.time_format)


def _read(
    system: LogSystem,
    hook: DbApiHook,
    connection: Any,
    driver: str,
    query: str,
    begin: dt.datetime | str,
    *,
    aware: bool,
) -> Iterator[list[Row]]:
    text, parameters = _bind(query, _paramstyle(hook, driver), begin)
    named = ("readiness_ingest",) if driver in _NAMED_CURSORS else ()
    with closing(connection.cursor(*named)) as cursor:
        cursor.execute(text, parameters)
        places: dict[str, int] | None = None
        while rows := cursor.fetchmany(system.batch_rows):
            if places is None:
                # psycopg2 describes a named cursor after its first rows
                there = [str(column[0]) for column in cursor.description]
                places = {ours: _place(system, theirs, there) for ours, theirs in system.columns.items()}
            batch = [{ours: row[place] for ours, place in places.items()} for row in rows]
            _same_kind(system, batch, aware=aware)
            yield batch


def _same_kind(system: LogSystem, batch: list[Row], *, aware: bool) -> None:
    """The window of sql= was compared as its times are, or it may have left out what it should not."""
    for row in batch:
        value = row["logged_at"]
        if isinstance(value, dt.datetime) and (value.tzinfo is not None) != aware:
            raise BadInput(
                f"the outside system {system.name!r}: {system.logged_at!r} holds {value}: "
                + ("say timezone=, its times have none" if aware else "leave timezone= out, its times have one")
            )


def _paramstyle(hook: DbApiHook, driver: str) -> str:
    """How the driver marks a parameter, by its own word (PEP 249)."""
    style = getattr(importlib.import_module(driver), "paramstyle", None)
    if style is None:
        style = "qmark" if hook.placeholder == "?" else "format"
    return str(style)


def _bind(query: str, style: str, value: Any) -> tuple[str, Any]:
    """The query with each ``:since`` as this driver marks it, and the parameters."""
    if style == "pyformat":
        return query.replace("%", "%%").replace(SINCE, "%(since)s"), {"since": value}
    if style == "format":
        return query.replace("%", "%%").replace(SINCE, "%s"), [value] * query.count(SINCE)
    if style == "qmark":
        return query.replace(SINCE, "?"), [value] * query.count(SINCE)
    if style == "numeric":
        return query.replace(SINCE, ":1"), [value]
    return query, {"since": value}
