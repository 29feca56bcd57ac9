"""What is selected, and which sources that reads."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_readiness.dbt_project.listing import listed
from airflow_readiness.dbt_project.manifest import load
from airflow_readiness.dbt_project.reach import Reach, reach
from airflow_readiness.dbt_project.selection import selection
from airflow_readiness.errors import BadManifest, BadMapping, BadSelection
from tests.dbt_manifest import manifest, node, source, write

M, S = "model.shop.", "source.shop.raw."
SHOP = [
    source("orders"),
    source("customers"),
    source("rates", tags=["slow"]),
    source("unread"),
    node("stg_orders", S + "orders", folder="staging", materialized="ephemeral"),
    node("stg_customers", S + "customers", folder="staging", materialized="view"),
    node("countries", kind="seed"),
    node("sales_mart", M + "stg_orders", M + "stg_customers", "seed.shop.countries", tags=["nightly"]),
    node("sales_in_euro", M + "sales_mart", S + "rates", tags=["nightly", "slow"]),
    node("history", S + "customers", kind="snapshot"),
    node("only_seeds", "seed.shop.countries", folder="marts/small"),
    node("unique_sales", M + "sales_mart", S + "unread", kind="test"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "manifest.json", manifest(*SHOP))


@pytest.fixture
def of(path: Path) -> Callable[..., Reach]:
    def read(select: Any = None, exclude: Any = None) -> Reach:
        return reach(path, selection(select, exclude))

    return read


Of = Callable[..., Reach]


@pytest.mark.parametrize(
    ("select", "names"),
    [
        # through the ephemeral model, which is a part of it; not through the view, which another flow builds
        ("sales_mart", ["raw.orders"]),
        ("sales_mart+", ["raw.orders", "raw.rates"]),
        ("+sales_mart", ["raw.customers", "raw.orders"]),
        ("+sales_mart+", ["raw.customers", "raw.orders", "raw.rates"]),
        ("sales_in_euro", ["raw.rates"]),
        ("+sales_in_euro", ["raw.customers", "raw.orders", "raw.rates"]),
        ("history", ["raw.customers"]),
        ("tag:nightly", ["raw.orders", "raw.rates"]),
        ("+tag:nightly", ["raw.customers", "raw.orders", "raw.rates"]),
        # the tag is a source's too: what reads it
        ("tag:slow+", ["raw.rates"]),
        ("stg_customers+", ["raw.customers", "raw.orders", "raw.rates"]),
        ("staging", ["raw.customers", "raw.orders"]),
        ("shop.staging", ["raw.customers", "raw.orders"]),
        ("shop", ["raw.customers", "raw.orders", "raw.rates"]),
        ("marts.sales_mart", ["raw.orders"]),
        ("sales_mart history", ["raw.customers", "raw.orders"]),
        (["sales_mart", "history"], ["raw.customers", "raw.orders"]),
        (None, ["raw.customers", "raw.orders", "raw.rates"]),
        ("+unique_sales", ["raw.customers", "raw.orders"]),
    ],
)
def test_a_selection_waits_for_the_sources_that_its_own_models_read(
    of: Of, select: Any, names: list[str]
) -> None:
    assert of(select).names == names


def test_what_is_excluded_is_not_waited_for(of: Of) -> None:
    assert of("+sales_in_euro", "stg_customers").names == ["raw.orders", "raw.rates"]
    assert of("+sales_in_euro", ["+sales_mart"]).names == ["raw.rates"]
    assert of(None, "tag:nightly").names == ["raw.customers", "raw.orders"]
    # as for dbt, it is no error if there is nothing to exclude
    assert of("sales_mart", "tag:new").names == ["raw.orders"]


def test_who_reads_a_source_is_told_and_what_is_left_out(of: Of) -> None:
    found = of("sales_mart+")
    assert found.models == ("sales_in_euro", "sales_mart")
    assert {each.label: each.read_by for each in found.sources} == {
        "raw.orders": ("sales_mart",),
        "raw.rates": ("sales_in_euro",),
    }
    assert found.outside == ("stg_customers",)


def test_an_ephemeral_model_of_an_ephemeral_model_is_part_of_the_reader_too(tmp_path: Path) -> None:
    entries = [
        source("orders"),
        node("one", S + "orders", materialized="ephemeral"),
        node("two", M + "one", materialized="ephemeral"),
        node("mart", M + "two"),
    ]
    path = write(tmp_path / "manifest.json", manifest(*entries))
    assert reach(path, selection("mart")).names == ["raw.orders"]
    assert reach(path, selection("+mart")).sources[0].read_by == ("one",)


@pytest.mark.parametrize(
    "select",
    [
        "path:models/marts",
        "models/marts",
        "sales_mart.sql",
        "@sales_mart",
        "2+sales_mart",
        "sales_mart+1",
        "sales_*",
        "tag:night*",
        "tag:nightly,staging",
        "config.materialized:table",
        "source:raw+",
        "state:modified",
    ],
)
def test_what_only_dbt_can_resolve_is_said_with_what_to_run(of: Of, select: str) -> None:
    with pytest.raises(
        BadSelection, match="only dbt can say what .*dbt ls .*ls='target/selected.json'"
    ) as raised:
        of(["sales_mart", select])
    assert repr(select) in str(raised.value)


@pytest.mark.parametrize(
    ("select", "says"),
    [
        ("sales_marts", "'sales_marts' matches nothing: 'dbt ls' lists what there is. If"),
        ("sales", "matches nothing: did you mean sales_in_euro or sales_mart?"),
        ("+tag:hourly+", r"'\+tag:hourly\+' matches nothing"),
        ("sales_mart hourly", "'hourly' matches nothing"),
        ("orders", "orders is a source. Select the models that read it"),
        ("", "is empty"),
        ([], "is empty"),
        (7, "7 is no text"),
        ([7], "is no text"),
        ("stg_orders", r"selects only ephemeral models \(stg_orders\).* \+ after"),
        ("unique_sales", "selects no model"),
        ("only_seeds", r"\(only_seeds\) reads no source: select models"),
        ("countries", r"\(countries\) reads no source"),
    ],
)
def test_a_selection_without_an_end_is_refused(of: Of, select: Any, says: str) -> None:
    with pytest.raises(BadSelection, match=says):
        raise of(select).problem(selection(select)) or AssertionError


def test_models_that_read_only_models_are_told_what_to_select(tmp_path: Path) -> None:
    entries = [source("orders"), node("stg", S + "orders", materialized="view"), node("mart", M + "stg")]
    chosen = selection("mart+")
    found = reach(write(tmp_path / "manifest.json", manifest(*entries)), chosen)
    assert "only stg outside of the selection" in str(found.problem(chosen))


def test_a_model_that_is_disabled_is_said_to_be(tmp_path: Path) -> None:
    disabled = {f"{M}old_mart": [node("old_mart", S + "orders")]}
    path = write(tmp_path / "manifest.json", manifest(*SHOP, disabled=disabled))
    with pytest.raises(
        BadSelection, match="'old_mart' matches nothing: old_mart is disabled in the dbt project"
    ):
        reach(path, selection("old_mart"))


def test_a_version_of_a_model_is_found_as_dbt_finds_it(tmp_path: Path) -> None:
    versions = [
        node(
            "mart",
            S + table,
            version=number,
            unique_id=f"{M}mart.v{number}",
            fqn=["shop", "marts", "mart", f"v{number}"],
        )
        for number, table in ((1, "orders"), (2, "customers"))
    ]
    path = write(tmp_path / "manifest.json", manifest(*SHOP[:2], *versions))
    assert reach(path, selection("mart")).models == ("mart.v1", "mart.v2")
    assert reach(path, selection("mart.v1")).names == ["raw.orders"]
    assert reach(path, selection("mart_v2")).names == ["raw.customers"]


def test_every_problem_is_kept_beside_what_is_well(tmp_path: Path) -> None:
    entries = [source("orders"), source("ev*nts"), node("mart", S + "orders", S + "ev*nts")]
    chosen = selection("mart")
    found = reach(write(tmp_path / "manifest.json", manifest(*entries)), chosen)
    assert found.names == ["raw.orders"]
    with pytest.raises(BadMapping, match=r"'raw\.ev\*nts'"):
        raise found.problem(chosen) or AssertionError


def test_two_sources_may_say_that_they_share_a_log(tmp_path: Path) -> None:
    lines = source("lines", meta={"readiness": "raw.orders"})
    entries = [source("orders"), lines, node("mart", S + "orders", S + "lines")]
    found = reach(write(tmp_path / "manifest.json", manifest(*entries)), selection("mart"))
    assert (found.names, len(found.sources)) == (["raw.orders"], 2)
    assert found.problem(selection("mart")) is None


def test_tables_of_two_databases_do_not_share_a_log_by_chance(tmp_path: Path) -> None:
    other = source("orders", "crm", schema="raw", database="other")
    entries = [source("orders"), other, node("mart", S + "orders", other["unique_id"])]
    found = reach(write(tmp_path / "manifest.json", manifest(*entries)), selection("mart"))
    with pytest.raises(
        BadMapping, match=r"crm\.orders of other and raw\.orders of warehouse are two tables .*'raw\.orders'"
    ):
        raise found.problem(selection("mart")) or AssertionError
    other["database"] = "warehouse"
    found = reach(write(tmp_path / "manifest.json", manifest(*entries)), selection("mart"))
    assert found.problem(selection("mart")) is None


def test_nothing_is_left_to_wait_for(tmp_path: Path) -> None:
    entries = [source("orders", meta={"readiness": False}), node("mart", S + "orders")]
    chosen = selection("mart")
    found = reach(write(tmp_path / "manifest.json", manifest(*entries)), chosen)
    assert "reads only sources that say 'meta.readiness: false'" in str(found.problem(chosen))


def _ls(path: Path, *ids: str, before: str = "12:00:00  Running with dbt=1.11.16\n") -> Path:
    lines = (json.dumps({"unique_id": unique_id, "name": "x"}) for unique_id in ids)
    written = path.parent / "selected.json"
    written.write_text(before + "".join(f"{line}\n" for line in lines))
    os.utime(written, (1, 1))
    return written


def test_a_list_by_dbt_is_taken_as_it_is(path: Path) -> None:
    ls = _ls(path, M + "sales_in_euro", M + "sales_mart", "test.shop.unique_sales", S + "unread")
    assert reach(path, selection(ls=ls)).names == ["raw.orders", "raw.rates"]


def test_a_list_of_sources_alone_is_these_sources(path: Path) -> None:
    ls = _ls(path, S + "orders", S + "unread")
    assert reach(path, selection(ls=ls)).names == ["raw.orders", "raw.unread"]


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        ("", BadSelection, "selects nothing"),
        ("12:00:00  No nodes selected!\n", BadSelection, "selects nothing"),
        ('{"unique_id": "model.shop.sal', BadManifest, "unfinished"),
        ('{"name": "sales_mart"}\n', BadManifest, "was not made by dbt .*unique_id"),
        (
            '{"unique_id": "model.shop.gone"}\n',
            BadManifest,
            "names 'model.shop.gone', which the manifest does not",
        ),
    ],
)
def test_a_list_that_is_none_is_refused(path: Path, content: str, error: type[Exception], says: str) -> None:
    ls = _ls(path, before=content)
    with pytest.raises(error, match=says):
        reach(path, selection(ls=ls))


def test_a_missing_list_is_told(path: Path) -> None:
    with pytest.raises(BadManifest, match="cannot be read .*make it by 'dbt ls"):
        reach(path, selection(ls=path.parent / "no.json"))


def test_words_beside_a_list_are_refused(path: Path) -> None:
    with pytest.raises(BadSelection, match="beside ls="):
        selection("sales_mart", None, path)


def test_a_list_that_is_being_written_is_left_to_settle(path: Path) -> None:
    """Half a list names too few sources: a flow on it would start too early."""
    ls = _ls(path, M + "sales_mart")
    os.utime(ls)

    def finish(_: float) -> None:
        _ls(path, M + "sales_mart", M + "sales_in_euro")

    assert len(listed(load(path), ls, patience=60, pause=finish)) == 2
