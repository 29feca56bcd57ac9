"""What dbt itself says of a project that it parsed, beside what is read from its manifest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

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


_DAGBAG = """
import json, sys
from pathlib import Path
from typing import Any
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(Path(sys.argv[1]))
print("found", json.dumps({"errors": bag.import_errors, "dags": {
    dag.dag_id: [sorted(dag.task_ids), dag.timetable.asset_condition.objects[0].extra["condition"]["all"]]
    for dag in bag.dags.values()
}}))
"""


def test_airflow_finds_the_flow_of_the_example_project(tmp_path: Path) -> None:
    """With astronomer-cosmos, which makes a task of each model; and not before somebody wants it."""
    dags = tmp_path / "dags"
    real_dbt.copy_sales(dags / "dbt_sales")
    assert _dagbag(dags) == {
        "errors": {},
        "dags": {
            "dbt_sales": [
                ["sales_by_currency_run", "sales_mart.run", "sales_mart.test"],
                ["hive.sales", "hive.stores", "night.fx_rates"],
            ]
        },
    }
    shutil.copy(real_dbt.SALES.parent / ".airflowignore", dags)
    assert _dagbag(dags) == {"errors": {}, "dags": {}}


def _dagbag(dags: Path) -> Any:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    settings = {
        "AIRFLOW_HOME": str(dags.parent),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite://",
        "DO_NOT_TRACK": "1",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _DAGBAG, str(dags)],
        env=clean | settings,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("found ")]
    assert lines, done.stdout + done.stderr
    return json.loads(lines[0].removeprefix("found "))
