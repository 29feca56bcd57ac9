"""``schedule=ready(source("a.b") & source("c.d"))``."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias, AssetAll, AssetAny, IdentityMapper, PartitionedAssetTimetable
from airflow.sdk.definitions.asset import BaseAsset

from airflow_readiness import ready, source
from airflow_readiness.core.names import launch_uri
from airflow_readiness.errors import BadCondition, BadInput, BadName
from airflow_readiness.mapper import SilentMapper
from airflow_readiness.schedule import condition_of, condition_of_asset, sources


def _launch_asset(timetable: PartitionedAssetTimetable) -> Asset:
    condition = timetable.asset_condition
    assert isinstance(condition, AssetAny)
    launch = next(iter(condition.objects))
    assert isinstance(launch, Asset)
    return launch


def test_a_source_is_an_asset_of_its_name() -> None:
    asset = source("hive.sales")
    assert (asset.name, asset.uri, asset.group) == ("hive.sales", "readiness://hive/sales", "readiness")


@pytest.mark.parametrize("name", ["Hive.Sales_2$", "_x.y-z", "1.2"])
def test_airflow_keeps_the_uri_of_every_source_as_it_is(name: str) -> None:
    assert source(name).uri == f"readiness://{name.replace('.', '/')}"


def test_a_source_that_is_not_database_dot_table_is_refused() -> None:
    with pytest.raises(BadName, match="'sales'"):
        source("sales")


def test_sources_are_sorted_each_once() -> None:
    assert sources(["b.t", "a.t", "b.t"]) == [source("a.t"), source("b.t")]


def test_a_flow_waits_for_the_launch_asset_of_its_condition() -> None:
    launch = _launch_asset(ready(source("hive.stores") & source("hive.sales")))
    assert launch.name == "hive.sales & hive.stores"
    assert launch.uri == launch_uri("hive.sales & hive.stores")
    assert launch.group == "readiness-launch"
    assert launch.extra == {"condition": {"all": ["hive.sales", "hive.stores"]}}


def test_the_condition_stands_beside_the_launch_as_it_was_written() -> None:
    written = source("b.t") & (source("c.t") | source("a.t"))
    timetable = ready(written)
    assert isinstance(timetable.asset_condition, AssetAny)
    assert list(timetable.asset_condition.objects) == [_launch_asset(timetable), written]


def test_the_launch_of_one_source_has_not_the_name_of_the_source() -> None:
    timetable = ready(source("a.t"))
    launch = _launch_asset(timetable)
    assert launch.name == "a.t (launch)"
    assert launch.extra == {"condition": "a.t"}
    assert list(timetable.partition_mapper_config) == [launch]


def test_every_source_is_silent_and_the_launch_is_not() -> None:
    timetable = ready(source("a.t") & source("b.t") | source("a.t") & source("c.t"))
    ((asset, mapper),) = timetable.partition_mapper_config.items()
    assert asset == _launch_asset(timetable)
    assert isinstance(mapper, IdentityMapper)
    assert isinstance(timetable.default_partition_mapper, SilentMapper)


def test_a_silent_mapper_maps_every_key_to_none() -> None:
    assert list(SilentMapper().to_downstream("2026-11-22")) == []


A, B, C = source("a.t"), source("b.t"), source("c.t")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (A & B, B & A),
        (A & B & C, A & (C & B)),
        (A | B | C, C | (B | A)),
        (A & (B | C), (C | B) & A),
        (A & A, A),
        (AssetAll(A, AssetAny(B)), A & B),
    ],
)
def test_equivalent_conditions_share_one_launch(one: BaseAsset, other: BaseAsset) -> None:
    assert _launch_asset(ready(one)) == _launch_asset(ready(other))


def test_different_conditions_have_launches_of_their_own() -> None:
    written: list[BaseAsset] = [A, B, A & B, A | B, A & B & C, A & (B | C), (A & B) | C, A & B | A & C]
    launches = {_launch_asset(ready(condition)).uri for condition in written}
    assert len(launches) == len(written)


@pytest.mark.parametrize(
    "argument",
    [
        "hive.sales",
        None,
        ["hive.sales"],
        Asset("hive.sales"),
        Asset(name="x", uri="s3://bucket/x", group="readiness-launch"),
        A & Asset("other"),
        A | AssetAlias("alias"),
        Asset.ref(name="hive.sales"),
    ],
)
def test_anything_but_sources_is_refused_with_what_to_write(argument: Any) -> None:
    with pytest.raises(BadCondition, match=r"ready\(\) got .*give it source\('database.table'\)"):
        ready(argument)


def test_a_condition_too_long_for_airflow_is_refused() -> None:
    many = AssetAll(*(source(f"database.table_{number:04}") for number in range(80)))
    with pytest.raises(BadCondition, match="80 sources is 1757 characters"):
        ready(many)


def test_the_launch_asset_tells_its_condition() -> None:
    written = A & (B | C)
    assert condition_of_asset(_launch_asset(ready(written)).extra) == condition_of(written)


@pytest.mark.parametrize("extra", [None, {}, "a.t", {"other": 1}])
def test_an_asset_that_tells_no_condition_is_told(extra: object) -> None:
    with pytest.raises(BadInput, match=r"names no condition: use ready\(\)"):
        condition_of_asset(extra)


@pytest.mark.parametrize("condition", [None, {"all": []}, "sales"])
def test_an_asset_that_tells_a_bad_condition_is_told(condition: object) -> None:
    with pytest.raises(BadInput):
        condition_of_asset({"condition": condition})
