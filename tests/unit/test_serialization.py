"""A flow's schedule on its way through Airflow's database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from airflow.assets.evaluation import AssetEvaluator
from airflow.sdk import DAG
from airflow.sdk.definitions.asset import BaseAsset
from airflow.serialization.definitions.assets import SerializedAsset, SerializedAssetUniqueKey
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.simple import PartitionedAssetTimetable

from airflow_readiness import at_least, ready, source
from airflow_readiness.mapper import SilentMapper
from airflow_readiness.schedule import condition_of, condition_of_asset

A, B, C = source("a.t"), source("b.t"), source("c.t")
WRITTEN: dict[str, BaseAsset] = {
    "one": A,
    "both": A & B,
    "either": A | B,
    "nested": A & (B | C),
    "two of three": at_least(2, A, B, C, grace="30m"),
    "not before": A.not_before("03:00"),
    "all of it": (A & at_least(2, A, B & C, C)).not_before("03:00").deadline("06:30", on="skip"),
}


@pytest.fixture(params=WRITTEN)
def written(request: pytest.FixtureRequest) -> BaseAsset:
    return WRITTEN[request.param]


@pytest.fixture
def stored(written: BaseAsset) -> PartitionedAssetTimetable:
    """The timetable as the scheduler finds it."""
    document = json.dumps(DagSerialization.to_dict(DAG("flow", schedule=ready(written))))
    timetable = DagSerialization.from_dict(json.loads(document)).timetable
    assert isinstance(timetable, PartitionedAssetTimetable)
    return timetable


def _assets(timetable: PartitionedAssetTimetable, group: str) -> Iterator[SerializedAsset]:
    for _, asset in timetable.asset_condition.iter_assets():
        if asset.group == group:
            yield asset


def _launch(timetable: PartitionedAssetTimetable) -> SerializedAsset:
    (launch,) = _assets(timetable, "readiness-launch")
    return launch


def test_the_launch_asset_still_tells_the_condition(
    stored: PartitionedAssetTimetable, written: BaseAsset
) -> None:
    assert condition_of_asset(_launch(stored).extra) == condition_of(written)


def test_all_sources_are_there(stored: PartitionedAssetTimetable, written: BaseAsset) -> None:
    found = {asset.name for asset in _assets(stored, "readiness")}
    assert found == set(condition_of(written).sources)


def test_the_key_of_a_source_is_mapped_to_none(stored: PartitionedAssetTimetable) -> None:
    for asset in _assets(stored, "readiness"):
        mapper = stored.get_partition_mapper(name=asset.name, uri=asset.uri)
        assert isinstance(mapper, SilentMapper)
        assert list(mapper.to_downstream("2026-11-22")) == []


def test_the_key_of_the_launch_is_mapped_to_itself(stored: PartitionedAssetTimetable) -> None:
    launch = _launch(stored)
    # Airflow looks a mapper up by the name first: a launch with the name of a source would be silent
    mapper = stored.get_partition_mapper(name=launch.name, uri=launch.uri)
    assert mapper.to_downstream("2026-11-22") == "2026-11-22"


def test_the_launch_alone_satisfies_airflow(stored: PartitionedAssetTimetable) -> None:
    evaluator = AssetEvaluator(cast("Any", None))
    launch = SerializedAssetUniqueKey.from_asset(_launch(stored))
    assert evaluator.run(stored.asset_condition, {launch: True}) is True
    assert evaluator.run(stored.asset_condition, {}) is False
