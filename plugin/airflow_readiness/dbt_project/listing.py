"""A selection that dbt made: the output of ``dbt ls``."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from airflow_readiness.dbt_project.manifest import Manifest
from airflow_readiness.errors import BadManifest, BadSelection

#: seconds after which nobody is writing a list any more
SETTLED: Final = 1.0
_PAUSE: Final = 0.1
BY_DBT: Final = "dbt ls --quiet --output json --select … > target/selected.json"


class _Listed(msgspec.Struct):
    unique_id: str


def listed(
    manifest: Manifest,
    path: Path,
    *,
    patience: float = 0,
    pause: Callable[[float], object] = time.sleep,
) -> set[str]:
    """The ids in a file that ``dbt ls --output json`` printed; blocking.

    Half a list would be a list too, of too few sources: so what was written a moment ago is left to settle.

    :param patience: seconds to wait for somebody who is writing it
    :param pause: sleeps for so many seconds
    :raises BadManifest: if it is missing or something else, or does not belong to the manifest
    :raises BadSelection: if it is empty
    """
    until = time.monotonic() + patience
    try:
        while 0 <= time.time() - path.stat().st_mtime < SETTLED and time.monotonic() < until:
            pause(_PAUSE)
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadManifest(f"the list {str(path)!r} cannot be read ({error}): make it by '{BY_DBT}'") from error
    # without --quiet dbt tells between the lines what it does
    rows = [line for line in lines if line.startswith("{")]
    try:
        ids = {msgspec.json.decode(row, type=_Listed).unique_id for row in rows}
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadManifest(
            f"the list {str(path)!r} is unfinished, or was not made by dbt ({error}): make it by '{BY_DBT}'"
        ) from error
    if not ids:
        raise BadSelection(f"the list {str(path)!r} selects nothing: make it by '{BY_DBT}'")
    if unknown := sorted(ids - set(manifest.graph) - set(manifest.sources)):
        raise BadManifest(
            f"the list {str(path)!r} names {unknown[0]!r}, which the manifest does not know: "
            "they are of different runs of dbt. Make both again and deploy them together"
        )
    return ids
