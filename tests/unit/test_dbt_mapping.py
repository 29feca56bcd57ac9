"""Which log says that a dbt source was loaded."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from airflow_readiness.dbt_project.manifest import Source
from airflow_readiness.dbt_project.mapping import Rule, log_of
from airflow_readiness.errors import BadMapping
from tests.dbt_manifest import source


def _source(**fields: Any) -> Source:
    return msgspec.convert(source("orders", **fields), Source)


def _external(location: object) -> dict[str, Any]:
    return {"external": {"location": location}}


def _meta(value: object) -> dict[str, Any]:
    return {"meta": {"readiness": value, "owner": "crm"}}


def test_by_its_schema_and_name() -> None:
    assert log_of(_source()) == ("raw.orders", Rule.OWN)
    assert log_of(_source(schema="crm")) == ("crm.orders", Rule.OWN)


def test_by_the_name_that_the_table_has_in_the_database() -> None:
    assert log_of(_source(identifier="orders_v2")) == ("raw.orders_v2", Rule.OWN)
    assert log_of(_source(identifier=None, schema=None)) == ("raw.orders", Rule.OWN)


def test_meta_goes_before_schema_and_name() -> None:
    assert log_of(_source(**_meta("hive.orders"))) == ("hive.orders", Rule.META)


def test_meta_is_found_where_dbt_before_1_10_kept_it() -> None:
    config = {"meta": {"readiness": "hive.orders"}}
    assert log_of(_source(config=config)) == ("hive.orders", Rule.META)
    assert log_of(_source(config=config, **_meta("hive.orders"))) == ("hive.orders", Rule.META)


@pytest.mark.parametrize(
    "location",
    [
        "hive.orders",
        " hive.orders ",
        "pxf://hive.orders?PROFILE=hive:orc&SERVER=hdp",
        "pxf://hive.orders",
        "readiness://hive/orders",
    ],
)
def test_external_location_goes_first(location: str) -> None:
    assert log_of(_source(**_external(location))) == ("hive.orders", Rule.LOCATION)


@pytest.mark.parametrize(
    "location", ["s3://lake/orders/", "/data/hive.orders", "C:\\orders", "pxf://data/orders.csv?PROFILE=x", ""]
)
def test_a_place_of_files_names_no_log(location: str) -> None:
    assert log_of(_source(**_external(location))) == ("raw.orders", Rule.OWN)
    assert log_of(_source(**_external(location), **_meta("hive.orders"))) == ("hive.orders", Rule.META)


def test_two_that_say_the_same_are_one() -> None:
    both = _source(**_external("hive.orders"), **_meta("hive.orders"))
    assert log_of(both) == ("hive.orders", Rule.LOCATION)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        (_external("hive.orders") | _meta("hive.sales"), ("hive.orders", "hive.sales")),
        (_meta(["hive.orders", "hive.sales"]), ("hive.orders", "hive.sales")),
        (
            _meta("hive.orders") | {"config": {"meta": {"readiness": "hive.sales"}}},
            ("hive.orders", "hive.sales"),
        ),
    ],
)
def test_two_logs_are_refused_with_both_names(fields: dict[str, Any], names: tuple[str, str]) -> None:
    with pytest.raises(BadMapping, match="the dbt source raw.orders maps to two logs") as raised:
        log_of(_source(**fields))
    assert all(repr(name) in str(raised.value) for name in names)


def test_what_says_the_same_twice_is_told_once() -> None:
    """dbt 1.10 and later write meta in two places."""
    both = _meta("hive.sales") | {"config": {"meta": {"readiness": "hive.sales"}}}
    with pytest.raises(
        BadMapping, match=r"location says 'hive.orders' and meta.readiness says 'hive.sales'\. "
    ):
        log_of(_source(**_external("hive.orders"), **both))


def test_a_source_that_never_logs_is_not_waited_for() -> None:
    assert log_of(_source(**_meta(False))) == (None, Rule.NEVER)
    assert log_of(_source(**_meta(False), **_external("hive.orders"))) == (None, Rule.NEVER)


@pytest.mark.parametrize("value", ["orders", "a.b.c", "hive.ord ers", "", True, 3, {"name": "a.b"}, ["orders"]])
def test_a_meta_that_is_no_name_is_refused(value: object) -> None:
    with pytest.raises(BadMapping, match=r"raw\.orders maps to .* by its meta\.readiness, .*'database\.table'"):
        log_of(_source(**_meta(value)))


@pytest.mark.parametrize("location", ["orders", "a.b.c", "hive.ord ers", 3, ["hive.orders"]])
def test_a_location_that_is_meant_as_a_name_and_is_none_is_refused(location: object) -> None:
    with pytest.raises(BadMapping, match=r"raw\.orders maps to .* by its external\.location"):
        log_of(_source(**_external(location), **_meta("hive.orders")))


@pytest.mark.parametrize(
    "fields", [{"identifier": "events_*"}, {"schema": "my project"}, {"identifier": "a.b"}]
)
def test_a_table_whose_name_is_none_is_refused_with_the_remedy(fields: dict[str, Any]) -> None:
    with pytest.raises(BadMapping, match="by its schema and name, .*set its meta.readiness"):
        log_of(_source(**fields))
