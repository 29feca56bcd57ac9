"""``schedule=ready(dbt(…))`` and ``readiness_dags(sources=dbt_sources(…))`` in a DAG file."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import AssetAll

from airflow_readiness import dbt, dbt_sources, readiness_dags, ready, source
from airflow_readiness.errors import BadManifest, BadMapping, BadSelection
from airflow_readiness.schedule import condition_of
from tests.dbt_manifest import manifest, node, write
from tests.dbt_manifest import source as dbt_source

S = "source.shop.raw."
ENTRIES = [
    dbt_source("orders", meta={"readiness": "hive.orders"}),
    dbt_source("customers"),
    node("sales_mart", S + "orders", S + "customers"),
    node("orders_mart", S + "orders"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    return write(tmp_path / "target" / "manifest.json", manifest(*ENTRIES))


def test_a_flow_waits_for_all_sources_of_its_models(path: Path) -> None:
    condition = dbt(path, select="sales_mart+")
    assert isinstance(condition, AssetAll)
    assert condition_of(condition).text == "hive.orders & raw.customers"
    by_hand = ready(source("hive.orders") & source("raw.customers"))
    assert ready(condition).asset_condition == by_hand.asset_condition


def test_one_source_is_that_source(path: Path) -> None:
    assert dbt(path, select="orders_mart") == source("hive.orders")


def test_it_is_joined_with_others_like_any_condition(path: Path) -> None:
    either = dbt(str(path), select="sales_mart") | source("a.t")
    assert condition_of(either).text == "a.t | hive.orders & raw.customers"


@pytest.mark.parametrize(("select", "text"), [
    ("sales_mart+", "(hive.orders & raw.customers).deadline(06:30, on=skip)"),
    ("orders_mart", "hive.orders.deadline(06:30, on=skip)"),
])  # fmt: skip
def test_it_has_times_of_its_own_like_any_condition(path: Path, select: str, text: str) -> None:
    assert condition_of(dbt(path, select=select).deadline("06:30", on="skip")).text == text


def test_what_is_wrong_stops_the_flow_that_says_it(path: Path) -> None:
    with pytest.raises(BadSelection, match="'sales' matches nothing"):
        dbt(path, select="sales")
    with pytest.raises(BadManifest, match="cannot be read"):
        dbt(path.parent / "other.json")
    write(path, manifest(*ENTRIES, dbt_source("a*b"), node("mart", S + "a*b")))
    with pytest.raises(BadMapping, match=r"raw\.a\*b"):
        dbt(path)


FLOW = """
from airflow_readiness import dbt, dbt_sources
found = [dbt("target/manifest.json", select="orders_mart").name, *dbt_sources("target/manifest.json")]
"""


@pytest.mark.parametrize("folder", ["here", "elsewhere"])
def test_a_relative_path_begins_at_the_dag_file_or_else_at_the_process(
    path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = path.parents[1]
    beside = root if folder == "here" else root / "dags"
    beside.mkdir(exist_ok=True)
    (beside / "flow.py").write_text(FLOW)
    monkeypatch.chdir("/" if folder == "here" else root)
    found = runpy.run_path(str(beside / "flow.py"))["found"]
    assert found == ["hive.orders", "hive.orders", "raw.customers"]


def _collects(**arguments: Any) -> list[Any]:
    _, collector = readiness_dags(**arguments)
    return [asset for task in collector.tasks for asset in task.outlets]


def test_the_collector_is_shown_as_the_producer_of_the_same_sources(path: Path) -> None:
    outlets = _collects(sources=dbt_sources(path))
    assert outlets == [source("hive.orders"), source("raw.customers")]
    waits_for = condition_of(dbt(path, select="sales_mart")).sources
    assert set(waits_for) == {asset.name for asset in outlets}
    assert dbt_sources(path, select="orders_mart") == ["hive.orders"]


NONE = [
    None,
    b"",
    b'{"metadata": {',
    b"{}",
    b"[]",
    b'"text"',
    b"\0",
    b'{"metadata": {"x": "\xff',
    b'{"x":' + b"[" * 100_000,
]
NONE += [b'{"metadata": {}, "nodes": {"\xff": {}}, "sources": {}}']


@pytest.mark.parametrize("content", NONE)
def test_no_manifest_stops_the_collector(
    path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """It would stop every launch, for the sake of a picture."""
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert dbt_sources(path) == []
    (said,) = caplog.messages
    assert str(path) in said
    assert "the asset graph does not show" in said


def test_a_source_that_is_wrong_is_left_out_and_said(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(path, manifest(*ENTRIES, dbt_source("a*b"), node("mart", S + "a*b")))
    assert dbt_sources(path) == ["hive.orders", "raw.customers"]
    (said,) = caplog.messages
    assert "raw.a*b" in said


def test_a_selection_of_nothing_leaves_the_collector_alone(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert dbt_sources(path, select="nothing") == []
    assert "'nothing' matches nothing" in caplog.text
