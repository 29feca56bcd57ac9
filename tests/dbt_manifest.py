"""A dbt manifest as dbt writes it, of any size, without dbt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PROJECT = "shop"
VERSION = "https://schemas.getdbt.com/dbt/manifest/v12.json"
#: models that share an ancestry, from staging to the last mart
CHAIN = 20


def source(name: str, source_name: str = "raw", **fields: Any) -> dict[str, Any]:
    """A source's entry; more of its fields by name."""
    return {
        "database": "warehouse",
        "schema": source_name,
        "name": name,
        "resource_type": "source",
        "package_name": PROJECT,
        "path": "models/sources.yml",
        "original_file_path": "models/sources.yml",
        "unique_id": f"source.{PROJECT}.{source_name}.{name}",
        "fqn": [PROJECT, source_name, name],
        "source_name": source_name,
        "source_description": "",
        "loader": "",
        "identifier": name,
        "external": None,
        "meta": {},
        "source_meta": {},
        "tags": [],
        "config": {"enabled": True, "meta": {}, "tags": []},
        "relation_name": f'"warehouse"."{source_name}"."{name}"',
        **fields,
    }


def node(name: str, *reads: str, folder: str = "marts", kind: str = "model", **fields: Any) -> dict[str, Any]:
    """A node that reads these ids; more of its fields by name, ``materialized`` and ``size`` among them."""
    materialized = fields.pop("materialized", "table")
    size = fields.pop("size", 0)
    tags = fields.get("tags", [])
    column = {"description": "what it is", "meta": {}, "data_type": "text", "constraints": [], "tags": []}
    return {
        "database": "warehouse",
        "schema": "dwh",
        "name": name,
        "resource_type": kind,
        "package_name": PROJECT,
        "path": f"{folder}/{name}.sql",
        "original_file_path": f"models/{folder}/{name}.sql",
        "unique_id": f"{kind}.{PROJECT}.{name}",
        "fqn": [PROJECT, *folder.split("/"), name],
        "alias": name,
        "checksum": {"name": "sha256", "checksum": "0" * 64},
        "config": {
            "enabled": True,
            "tags": tags,
            "meta": {},
            "materialized": materialized,
            "persist_docs": {},
            "post-hook": [],
            "pre-hook": [],
            "contract": {"enforced": False, "alias_types": True},
        },
        "tags": tags,
        "description": "a table of the warehouse " * (size // 100),
        "columns": {
            f"column_{number}": {"name": f"column_{number}", **column} for number in range(size // 150)
        },
        "raw_code": 'select 1 -- { "brackets" } in [code]\n' * (size // 20),
        "depends_on": {"macros": [], "nodes": list(reads)},
        "version": None,
        **fields,
    }


def manifest(*entries: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A manifest of these nodes and sources; more of its fields by name."""
    by_id = {entry["unique_id"]: entry for entry in entries}
    sources = {key: entry for key, entry in by_id.items() if entry["resource_type"] == "source"}
    return {
        "metadata": {"dbt_schema_version": VERSION, "dbt_version": "1.11.16", "project_name": PROJECT},
        "nodes": {key: entry for key, entry in by_id.items() if key not in sources},
        "sources": sources,
        "macros": {},
        "exposures": {},
        "disabled": {},
        "parent_map": {key: entry.get("depends_on", {}).get("nodes", []) for key, entry in by_id.items()},
        **fields,
    }


def big(models: int, size: int = 3000) -> dict[str, Any]:
    """So many models in chains of twenty, the first of each on a source of its own, each with two tests."""
    entries: list[dict[str, Any]] = []
    for number in range(models):
        chain, place = divmod(number, CHAIN)
        if place == 0:
            entries.append(source(f"table_{chain:04}"))
        above = entries[-3]["unique_id"] if place else entries[-1]["unique_id"]
        below = f"model.{PROJECT}.model_{chain - 1:04}_{place:02}"
        reads = [above, below] if chain % 7 and place == CHAIN - 1 else [above]
        name = f"model_{chain:04}_{place:02}"
        entries.append(node(name, *reads, folder=f"area_{chain % 10}", size=size, tags=["nightly"]))
        unique_id = entries[-1]["unique_id"]
        entries += [
            node(f"{test}_{name}", unique_id, kind="test", size=size // 4) for test in ("not_null", "unique")
        ]
    macros = {f"macro.dbt.macro_{number}": {"macro_sql": "x" * 1000} for number in range(480)}
    return manifest(*entries, macros=macros)


def write(path: Path, document: dict[str, Any]) -> Path:
    """Write it; its path."""
    path.write_text(json.dumps(document))
    return path
