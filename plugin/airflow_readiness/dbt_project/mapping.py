"""Which log says that a dbt source was loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, NamedTuple

from airflow_readiness.core.names import split_source
from airflow_readiness.dbt_project.manifest import Source
from airflow_readiness.errors import BadMapping, BadName

#: Greenplum's external tables of Hive: ``pxf://database.table?PROFILE=hive``
_PXF: Final = re.compile(r"pxf://([^?/]+)(?:\?.*)?")
_OURS: Final = re.compile(r"readiness://([^/]+)/([^/]+)")
_KEY: Final = "readiness"


class Rule(Enum):
    """By what a source names its log, in the order in which it is looked at."""

    LOCATION = "external.location"
    META = "meta.readiness"
    OWN = "schema and name"
    #: ``meta.readiness: false``
    NEVER = "not waited for"


class Log(NamedTuple):
    """The log of a source, ``database.table`` (none: it is not waited for), and the rule that says so."""

    name: str | None
    rule: Rule


def log_of(source: Source) -> Log:
    """The log of a source: by ``external.location``, ``meta.readiness``, or its schema and name.

    :raises BadMapping: if it names no ``database.table``, or two of them
    """
    metas = list(_metas(source))
    if False in metas:
        _agree(source, [(Rule.META, str(meta)) for meta in metas])
        return Log(None, Rule.NEVER)
    said = [(Rule.LOCATION, name) for name in _locations(source)]
    said += [(Rule.META, _text(source, meta)) for meta in metas]
    _agree(source, said)
    if said:
        return Log(said[0][1], said[0][0])
    own = f"{source.schema or source.source_name}.{source.identifier or source.name}"
    return Log(_valid(source, Rule.OWN, own), Rule.OWN)


def _locations(source: Source) -> Iterator[str]:
    """The table that ``external.location`` names; none if it is where files are."""
    location = source.external.location if source.external else None
    if location is None or location == "":
        return
    if not isinstance(location, str):
        raise BadMapping(_wrong(source, Rule.LOCATION, location))
    if pxf := _PXF.fullmatch(location.strip()):
        yield _valid(source, Rule.LOCATION, pxf[1])
    elif ours := _OURS.fullmatch(location.strip()):
        yield _valid(source, Rule.LOCATION, f"{ours[1]}.{ours[2]}")
    elif "/" not in location and "\\" not in location:
        yield _valid(source, Rule.LOCATION, location.strip())


def _metas(source: Source) -> Iterator[Any]:
    """What ``meta.readiness`` is; dbt writes it once or, by its version, twice."""
    for meta in (source.meta, source.config.meta):
        if meta and meta.get(_KEY) is not None:
            yield meta[_KEY]


def _text(source: Source, value: Any) -> str:
    if isinstance(value, list) and len(value) > 1:
        names = " and ".join(repr(each) for each in value)
        raise BadMapping(
            f"the dbt source {source.label} maps to two logs: {Rule.META.value} says {names}. "
            "Name the one log that says it was loaded"
        )
    if not isinstance(value, str):
        raise BadMapping(_wrong(source, Rule.META, value))
    return _valid(source, Rule.META, value.strip())


def _agree(source: Source, said: list[tuple[Rule, str]]) -> None:
    """Raise BadMapping if a source names two logs."""
    if len({name for _, name in said}) > 1:
        # newer versions of dbt write meta twice
        each = " and ".join(f"{rule.value} says {name!r}" for rule, name in dict.fromkeys(said))
        raise BadMapping(
            f"the dbt source {source.label} maps to two logs: {each}. Leave the one that says it was loaded"
        )


def _valid(source: Source, rule: Rule, name: str) -> str:
    try:
        split_source(name)
    except BadName:
        raise BadMapping(_wrong(source, rule, name)) from None
    return name


def _wrong(source: Source, rule: Rule, value: object) -> str:
    says = f"the dbt source {source.label} maps to {value!r} by its {rule.value}, which is no 'database.table'"
    if rule is Rule.LOCATION:
        return f"{says}: write the name under which it logs there, or a URL if it is where files are"
    return f"{says}: set its meta.readiness to the name under which it logs, or to false if nobody waits for it"
