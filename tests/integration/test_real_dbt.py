"""What dbt itself says of a project that it parsed, beside what is read from its manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_readiness.dbt_project.manifest import load
from airflow_readiness.dbt_project.reach import reach
from airflow_readiness.dbt_project.selection import selection
from airflow_readiness.errors import BadSelection
from tests import real_dbt

PLAIN = [
    [],
    ["--select", "sales_mart"],
    ["--select", "sales_mart+"],
    ["--select", "+sales_mart"],
    ["--select", "+sales_mart+"],
    ["--select", "stg_lines+"],
    ["--select", "+top"],
    ["--select", "top"],
    # a folder, a model of the name of a folder, and both with what is around them
    ["--select", "staging"],
    ["--select", "staging+"],
    ["--select", "+staging"],
    ["--select", "marts.deep"],
    ["--select", "shop.marts.deep"],
    ["--select", "shop"],
    ["--select", "shop.top"],
    ["--select", "customers"],
    ["--select", "customers.v1"],
    ["--select", "customers_v2"],
    ["--select", "+customers.v2"],
    ["--select", "marts.customers.v2"],
    ["--select", "history"],
    ["--select", "+history"],
    ["--select", "colours+"],
    ["--select", "+board"],
    ["--select", "tag:nightly"],
    ["--select", "tag:nightly+"],
    ["--select", "+tag:nightly+"],
    ["--select", "tag:hourly"],
    ["--select", "+tag:shown"],
    ["--select", "top sales_mart+"],
    ["--select", "top", "history"],
    ["--select", "+sales_by_country", "--exclude", "sales_mart"],
    ["--select", "+sales_by_country", "--exclude", "+sales_mart", "tag:none"],
    ["--exclude", "tag:staging+"],
    ["--exclude", "staging"],
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_dbt.write_project(tmp_path_factory.mktemp("shop"))


def _words(question: list[str]) -> dict[str, list[str]]:
    words: dict[str, list[str]] = {}
    option = ""
    for word in question:
        if word.startswith("--"):
            option = word.removeprefix("--")
        else:
            words.setdefault(option, []).append(word)
    return words


@pytest.mark.timeout(300)
def test_what_is_resolved_here_is_what_dbt_selects(path: Path) -> None:
    manifest = load(path)
    answers = real_dbt.ask(path.parents[1], PLAIN)
    for question, answer in zip(PLAIN, answers, strict=True):
        ours = selection(**_words(question)).ids(manifest)  # type: ignore[arg-type]
        # a test of a selected model comes with it in dbt; here tests read nothing
        told = {each for each in answer if not each.startswith("test.")}
        assert told, question
        assert {each for each in ours if not each.startswith("test.")} == told, question


def test_what_dbt_does_not_find_is_not_found_here(path: Path) -> None:
    words = ["off", "orders", "raw.orders", "stg", "deep", "marts.top", "tag:none", "v1"]
    answers = real_dbt.ask(path.parents[1], [["--select", word] for word in words])
    assert answers == [[] for _ in words]
    for word in words:
        with pytest.raises(BadSelection, match="matches nothing"):
            selection(word).ids(load(path))
    with pytest.raises(BadSelection, match="off is disabled in the dbt project"):
        selection("off").ids(load(path))


def test_each_source_of_a_real_manifest_is_mapped(path: Path) -> None:
    found = reach(path, selection())
    assert {each.label: each.log and (each.log.name, each.log.rule.value) for each in found.sources} == {
        "raw.orders": ("hive.orders", "external.location"),
        "raw.customers": ("hive.customers", "meta.readiness"),
        "raw.rates": ("fx.rates", "meta.readiness"),
        "raw.lines": ("raw.order_lines", "schema and name"),
        "raw.countries": (None, "not waited for"),
        "raw.files": ("raw.files", "schema and name"),
    }


LISTED = {
    "config.materialized:table,tag:nightly": ["fx.rates", "hive.orders", "raw.files", "raw.order_lines"],
    "2+board": ["fx.rates", "raw.order_lines"],
    "path:models/marts/deep": ["raw.files"],
    "source:raw.customers+": ["hive.customers", "hive.orders"],
}


def test_what_only_dbt_resolves_comes_by_its_list(path: Path) -> None:
    ls = path.parent / "selected.json"
    answers = real_dbt.ask(path.parents[1], [["--select", word] for word in LISTED])
    for (word, names), answer in zip(LISTED.items(), answers, strict=True):
        with pytest.raises(BadSelection, match="only dbt can say"):
            selection(word).ids(load(path))
        ls.write_text("\n".join(json.dumps({"unique_id": unique_id}) for unique_id in answer))
        assert reach(path, selection(ls=ls)).names == names, word


@pytest.mark.parametrize("quiet", [["--quiet"], []])
def test_the_output_of_dbt_is_read_as_it_is(path: Path, quiet: list[str]) -> None:
    ls = path.parent / "selected.json"
    # sources alone: these, though no model of the list reads them
    listing = ["ls", "--output", "json", "--select", "+customers", "--resource-type", "source"]
    ls.write_text(real_dbt.run(path.parents[1], *quiet, *listing))
    assert reach(path, selection(ls=ls)).names == ["hive.customers", "hive.orders"]


def test_the_example_project_shows_all_three_rules(tmp_path: Path) -> None:
    project = real_dbt.copy_sales(tmp_path / "dbt_sales")
    found = reach(project / "target" / "manifest.json", selection("sales_mart+"))
    assert {each.log and each.log.name: each.log and each.log.rule.value for each in found.sources} == {
        "hive.sales": "external.location",
        "hive.stores": "meta.readiness",
        "night.fx_rates": "schema and name",
    }
    assert found.outside == ()
