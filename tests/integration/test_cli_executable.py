"""The commands of operators through the ``airflow`` executable: output, exit codes, nothing else on stdout."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from airflow_readiness import engine
from airflow_readiness.config import Config
from airflow_readiness.core.condition import of_source
from airflow_readiness.store.store import Store

Airflow: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]
Do: TypeAlias = Callable[..., Awaitable[None]]


@pytest.fixture
async def airflow(
    deployed: None, tmp_path: Path, store: Store, settings: Config, add_flow: Do, today: dt.date
) -> Airflow:
    """Run ``airflow readiness …`` with a home of its own; a flow waits for one source."""
    await engine.configure(store, settings)
    await add_flow("flow", of_source("hive.sales"), today)
    await engine.tick(store, everything=True)
    ours = ("AIRFLOW_CONN_READINESS", "AIRFLOW__READINESS")
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AIRFLOW") or name.startswith(ours)
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).parent / "airflow"), "readiness", *arguments],
            env={**clean, "AIRFLOW_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    return run


def answer(done: subprocess.CompletedProcess[str], code: int) -> dict[str, Any]:
    assert done.returncode == code, done.stdout + done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    assert value["exit_code"] == code
    return value


async def test_looking_and_saying(airflow: Airflow, store: Store, today: dt.date) -> None:
    shown = answer(airflow("status", "--json"), 1)
    assert [each["source"] for each in shown["sources"]] == ["hive.sales"]
    plain = airflow("status", "--state", "waiting", "--source", "hive.*")
    assert plain.returncode == 1
    assert plain.stdout.startswith("source\tdate\tstate\t")

    reason = ("--reason", "the loader is broken")
    answer(airflow("mark-ready", "hive.sales", "--date", f"{today}", *reason, "--json"), 0)
    await engine.tick(store)
    why = answer(airflow("why", "flow", "--json"), 0)
    assert (why["verdict"], why["outcomes"]) == ("launched", {"hive.sales": "ready"})
    refused = airflow("extend", "hive.sales", "--date", f"{today}", "--to", "23:59", *reason)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "changes nothing: it is ready" in refused.stderr


async def test_what_is_left_out_is_told_by_the_parser(airflow: Airflow) -> None:
    done = airflow("skip", "hive.sales", "--date", "2026-11-22")
    assert done.returncode == 2
    assert "--reason" in done.stderr


async def test_what_needs_airflows_database_says_so(airflow: Airflow, today: dt.date) -> None:
    for command in (
        ("rerun", "flow", "--date", f"{today}"),
        ("backfill", "flow", "--from", "2026-01-01", "--to", "2026-01-02"),
    ):
        done = airflow(*command)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "Airflow's database cannot be read" in done.stderr
        assert "Traceback" not in done.stderr
    done = airflow("backfill", "flow", "--from", "2026-02-30", "--to", "2026-01-02")
    assert (done.returncode, "'2026-02-30' is not a business date" in done.stderr) == (2, True)


async def test_retention(airflow: Airflow, store: Store) -> None:
    await store.connection.execute(
        "insert into readiness.fm_log (source_database, source_table, business_date, logged_at)"
        " values ('hive', 'sales', '2020-01-01', '2020-01-01')"
    )
    assert answer(airflow("prune", "--json"), 0)["rows"]["fm_log"] == 1
    assert answer(airflow("prune", "--json"), 0)["rows"]["fm_log"] == 0
