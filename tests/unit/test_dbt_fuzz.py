"""Whatever is in the files: a flow is told what is wrong, and the collector lives."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_readiness import dbt, dbt_sources
from airflow_readiness.core.names import split_source
from airflow_readiness.errors import BadInput
from tests.dbt_manifest import manifest, node, source

S, M = "source.shop.raw.", "model.shop."
DOCUMENT = json.loads(
    json.dumps(
        manifest(
            source("orders", external={"location": "hive.orders"}, meta={"readiness": "hive.orders"}),
            source("customers", tags=["nightly"]),
            node("stg", S + "orders", materialized="ephemeral"),
            node("mart", M + "stg", S + "customers", tags=["nightly"]),
            disabled={f"{M}off": [node("off")]},
            exposures={"exposure.shop.board": node("board", M + "mart", kind="exposure")},
        )
    )
)
TEXT = st.text(max_size=8) | st.sampled_from(
    ["a.b", "tag:nightly", "+mart", S + "orders", M + "mart", "ephemeral"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from _places(each, (*path, key))


PLACES = sorted(_places(DOCUMENT), key=str)


@given(
    changes=st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=3),
    select=st.none() | TEXT | st.lists(TEXT, max_size=2),
)
def test_a_manifest_with_anything_in_it_is_used_or_refused(
    changes: list[tuple[tuple[Any, ...], Any]], select: Any
) -> None:
    document = copy.deepcopy(DOCUMENT)
    for path, value in changes:
        place = document
        for key in path[:-1]:
            place = place[key] if isinstance(place, (dict, list)) and _has(place, key) else {}
        if isinstance(place, (dict, list)) and _has(place, path[-1]):
            place[path[-1]] = value
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "manifest.json"
        file.write_text(json.dumps(document))
        names = dbt_sources(file, select=select)
        for name in names:
            split_source(name)
        try:
            dbt(file, select=select)
        except BadInput as error:
            assert len(str(error)) > 20
        else:
            assert names


def _has(place: Any, key: Any) -> bool:
    return key in place if isinstance(place, dict) else isinstance(key, int) and key < len(place)
