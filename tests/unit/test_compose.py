"""The compose file: valid by compose's own schema, and naming only settings that the code reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_readiness.options import OPTIONS
from airflow_readiness.signal.events import lacks_events

COMPOSE = Path(__file__).parents[2] / "docker-compose.yaml"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


def test_it_is_valid_by_the_schema_of_compose() -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(COMPOSE),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_readiness_setting_is_one_that_the_code_reads(compose: dict[str, Any]) -> None:
    prefix = "AIRFLOW__READINESS__"
    for name, service in compose["services"].items():
        settings = [key for key in service.get("environment", {}) if key.startswith(prefix)]
        unknown = [key for key in settings if key.removeprefix(prefix).lower() not in OPTIONS]
        assert not unknown, name


def test_the_connections_that_the_code_asks_for_are_there(compose: dict[str, Any]) -> None:
    wanted = {f"AIRFLOW_CONN_{OPTIONS[name][0].upper()}" for name in ("postgres_conn_id", "redis_conn_id")}
    for name in ("airflow-apiserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"):
        assert wanted <= compose["services"][name]["environment"].keys()


def test_redis_is_started_with_the_notifications_that_are_needed(compose: dict[str, Any]) -> None:
    command = compose["services"]["redis"]["command"]
    setting = command[command.index("--notify-keyspace-events") + 1]
    # compose reads $$ as one $
    assert not lacks_events(setting.replace("$$", "$"))


def test_nothing_is_published_beyond_this_machine(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
