"""What the registrar starts, in a metadata database of Airflow itself: runs that have failed, and reruns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(400)

FLOW = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow_readiness import ready, source


def tell(context):
    pass


with DAG("flow", schedule=ready(source("hive.a")), on_failure_callback=tell):
    EmptyOperator(task_id="first") >> EmptyOperator(task_id="second")
"""

#: The flow fails for one date, and is launched and started again for another.
SCRIPT = """
import json
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from airflow_readiness.airflow_metadata import fail_run, look, run_id, start_run

told = {"readiness": {"why": "told"}}
answers = [fail_run("flow", "2026-11-20", told) for _ in range(2)]
answers += [start_run("flow", "2026-11-21", told, rerun) for rerun in (0, 1, 1, 2)]
runs = {}
with create_session() as session:
    for run in session.query(DagRun).order_by(DagRun.run_id):
        run.dag = DBDagBag().get_latest_version_of_dag("flow", session=session)
        tasks = {each.task_id: each.state for each in run.get_task_instances(session=session)}
        callback = None
        if run.state == "running":
            # as the scheduler does
            _, callback = run.update_state(session=session, execute_callbacks=False)
        runs[run.run_id] = {
            "key": run.partition_key, "state": run.state, "conf": run.conf, "tasks": tasks, "note": run.note,
            "callback": bool(callback and callback.is_failure_callback), "type": run.run_type,
        }
pair = ("flow", "2026-11-20")
with create_session() as session:
    pass
from datetime import datetime, timezone
seen = look(datetime.now(timezone.utc), [pair]).runs[pair]
print(json.dumps({"answers": answers, "runs": runs, "seen": seen}))
"""


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of it, in a metadata database of its own."""
    home: Path = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    (home / "dags" / "flow.py").write_text(FLOW)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment = {**clean, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            arguments, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    airflow = str(Path(sys.executable).parent / "airflow")
    run(airflow, "db", "migrate")
    run(airflow, "dags", "reserialize")
    found: dict[str, Any] = json.loads(run(sys.executable, "-c", SCRIPT).splitlines()[-1])
    return found


def test_a_flow_that_fails_has_one_failed_run_as_if_its_tasks_had(answer: dict[str, Any]) -> None:
    assert answer["answers"][:2] == [True, False]
    run = answer["runs"]["asset_triggered__readiness__2026-11-20"]
    assert (run["key"], run["type"], run["state"]) == ("2026-11-20", "asset_triggered", "failed")
    assert run["tasks"] == {"first": "failed", "second": "upstream_failed"}
    assert run["conf"] == {"readiness": {"why": "told"}}
    assert run["note"].startswith("Failed by readiness")


def test_its_failure_is_told_as_any_other(answer: dict[str, Any]) -> None:
    assert answer["runs"]["asset_triggered__readiness__2026-11-20"]["callback"]


def test_the_registrar_sees_it_as_the_run_of_that_date(answer: dict[str, Any]) -> None:
    assert answer["seen"] == "asset_triggered__readiness__2026-11-20"


def test_each_rerun_is_a_run_of_its_own_and_none_is_made_twice(answer: dict[str, Any]) -> None:
    assert answer["answers"][2:] == [True, True, False, True]
    again = {name: run for name, run in answer["runs"].items() if run["key"] == "2026-11-21"}
    first = "asset_triggered__readiness__2026-11-21"
    assert list(again) == [first, f"{first}__rerun_1", f"{first}__rerun_2"]
    assert all(run["state"] == "queued" for run in again.values())
    assert again[f"{first}__rerun_1"]["note"].startswith("Started again by readiness")
