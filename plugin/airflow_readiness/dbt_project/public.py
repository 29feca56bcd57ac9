"""What a DAG author writes: ``schedule=ready(dbt("target/manifest.json", select="sales_mart+"))``."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from airflow_readiness.dbt_project.reach import reach
from airflow_readiness.dbt_project.selection import selection
from airflow_readiness.errors import BadInput
from airflow_readiness.expression import AllOf, Expression, source

log = logging.getLogger(__name__)

#: seconds for which the file of a flow waits for dbt to finish the manifest; Airflow gives a file thirty
PATIENCE: Final = 5.0

File = str | os.PathLike[str]
Words = str | Sequence[str]


def dbt(
    manifest: File, *, select: Words | None = None, exclude: Words | None = None, ls: File | None = None
) -> Expression:
    """All sources that the selected dbt models read, for :func:`airflow_readiness.ready`.

    Only models inside the selection count: what another flow builds is not waited for. An ephemeral model
    is a part of whoever reads it. dbt is not needed here, neither its settings nor its profile.

    A source waits for the log that its ``external.location`` names, or its ``meta.readiness``, or else its
    schema and name; ``meta.readiness: false`` is never waited for.
    ``airflow readiness dbt explain`` shows what comes of it.

    :param manifest: the ``target/manifest.json`` that ``dbt parse`` writes; a relative path begins at the
        file that calls this
    :param select: as for ``dbt ls --select``, as far as it is names, ``tag:…`` and ``+``; all, if left out
    :param exclude: the same, taken away again
    :param ls: instead of both, a file made by ``dbt ls --quiet --output json --select …``: any selection
    :raises BadManifest: if the manifest or the list is missing, unfinished, of an unknown version
    :raises BadSelection: if nothing is selected, or what is selected reads no source
    :raises BadMapping: if a source names no ``database.table``, or two
    """
    caller = _caller()
    chosen = selection(select, exclude, _path(ls, caller) if ls is not None else None)
    found = reach(_path(manifest, caller), chosen, patience=PATIENCE)
    if problem := found.problem(chosen):
        raise problem
    parts = [source(name) for name in sorted(set(found.names))]
    return parts[0] if len(parts) == 1 else AllOf(*parts)


def dbt_sources(
    manifest: File, *, select: Words | None = None, exclude: Words | None = None, ls: File | None = None
) -> list[str]:
    """The names of the same sources, for ``readiness_dags(sources=…)``: of the whole project by default.

    Never raises for what is in the files. They are for the asset graph alone, and a collector whose file does
    not import would stop every launch: what cannot be used is said in the log and left out.

    :param manifest: as for :func:`dbt`; so are the others
    """
    caller = _caller()
    try:
        chosen = selection(select, exclude, _path(ls, caller) if ls is not None else None)
        found = reach(_path(manifest, caller), chosen)
    except BadInput as error:
        log.warning("%s. Until then the asset graph does not show who publishes the sources of dbt", error)
        return []
    for each in found.sources:
        if each.problem:
            log.warning("%s. Until then the asset graph does not show it", each.problem)
    return found.names


def _caller() -> Path:
    """The folder of the file that called the function that calls this."""
    return Path(sys._getframe(2).f_globals.get("__file__") or "none").parent


def _path(given: File, caller: Path) -> Path:
    """Beside the caller, as Airflow takes the files of a DAG; or where the process is, if it is only there."""
    path = Path(given).expanduser()
    beside = caller / path
    return path if path.exists() and not beside.exists() else beside
