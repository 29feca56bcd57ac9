"""``airflow readiness dbt explain``."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_readiness.cli import dbt
from tests.dbt_manifest import manifest, node, source, write

S = "source.shop.raw."
ENTRIES = [
    source("orders", external={"location": "hive.orders"}),
    source("customers", meta={"readiness": False}),
    source("ev*nts"),
    node("stg", S + "customers", materialized="view"),
    node("sales_mart", S + "orders", S + "customers", "model.shop.stg"),
    node("events", S + "ev*nts"),
]
Explain = Callable[..., str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "manifest.json", manifest(*ENTRIES))


@pytest.fixture
def explain(path: Path, capsys: pytest.CaptureFixture[str]) -> Explain:
    """Run it; what it printed."""

    def run(*select: str, **options: object) -> str:
        arguments = {
            "select": list(select) or None,
            "exclude": None,
            "ls": None,
            "json": False,
            "verbose": False,
        }
        dbt.explain(argparse.Namespace(manifest=str(path), **{**arguments, **options}))
        return capsys.readouterr().out

    return run


def test_each_source_is_a_line_with_its_readers_its_log_and_the_rule(explain: Explain) -> None:
    assert explain("sales_mart").splitlines() == [
        "raw.customers\tsales_mart\t-\tnot waited for",
        "raw.orders\tsales_mart\thive.orders\texternal.location",
        "ready when all are: hive.orders",
        "read, but not in the selection, so not waited for: stg",
    ]


def test_a_terminal_shows_a_table(explain: Explain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    printed = explain("sales_mart")
    assert "dbt source" in printed
    assert "external.location" in printed


def test_json_has_all_of_it(explain: Explain) -> None:
    assert json.loads(explain("sales_mart", json=True)) == {
        "models": ["sales_mart"],
        "sources": [
            {
                "unique_id": "source.shop.raw.customers",
                "source": "raw.customers",
                "read_by": ["sales_mart"],
                "name": None,
                "rule": "not waited for",
                "problem": None,
            },
            {
                "unique_id": "source.shop.raw.orders",
                "source": "raw.orders",
                "read_by": ["sales_mart"],
                "name": "hive.orders",
                "rule": "external.location",
                "problem": None,
            },
        ],
        "waits_for": ["hive.orders"],
        "outside": ["stg"],
    }


def test_a_source_that_is_wrong_is_shown_beside_the_others(
    explain: Explain, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"raw\.ev\*nts maps to .*set its meta\.readiness"):
        explain()
    printed = capsys.readouterr().out
    assert "raw.orders\tsales_mart\thive.orders" in printed
    assert "raw.ev*nts\tevents\t?\tthe dbt source raw.ev*nts maps to" in printed
    # no flow can wait for a part of it
    assert "ready when" not in printed
    with pytest.raises(SystemExit):
        explain(json=True)
    wrong = json.loads(capsys.readouterr().out)["sources"][1]
    assert (wrong["name"], wrong["problem"].startswith("the dbt source raw.ev*nts maps to")) == (None, True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"select": ["nothing"]}, "'nothing' matches nothing"),
        ({"select": ["path:x"]}, "only dbt can say"),
        ({"select": ["stg"], "ls": "x.json"}, "beside ls="),
        ({"manifest": "/nowhere.json"}, "run 'dbt parse'"),
    ],
)
def test_bad_input_is_told(explain: Explain, path: Path, options: dict[str, object], says: str) -> None:
    arguments = {"manifest": str(path), "select": None, "exclude": None, "ls": None, "json": True}
    with pytest.raises(SystemExit, match=says):
        dbt.explain(argparse.Namespace(verbose=False, **{**arguments, **options}))


def test_the_real_command_takes_a_selection_as_dbt_does(path: Path, tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                str(Path(sys.executable).parent / "airflow"),
                "readiness",
                "dbt",
                "explain",
                str(path),
                *arguments,
            ],
            env={**clean, "AIRFLOW_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    done = run("--select", "+sales_mart+", "events", "--exclude", "events", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["waits_for"] == ["hive.orders"]
    done = run("-s", "sales")
    assert done.returncode == 1
    assert "did you mean sales_mart?" in done.stderr
