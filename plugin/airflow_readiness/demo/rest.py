"""Airflow's public REST API, as far as the demo and the tests need it."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rest:
    """An API server without authentication (the demo's, on 127.0.0.1)."""

    url: str

    def call(self, method: str, path: str, body: object = None, **query: Any) -> Any:
        """The JSON answer; an HTTP error is raised with its text."""
        address = f"{self.url}{path}"
        if query:
            address += "?" + urllib.parse.urlencode(query, doseq=True)
        request = urllib.request.Request(
            address,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json", "Accept": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=15) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()[:500]}") from error
        return json.loads(text) if text else None

    def health(self) -> dict[str, Any]:
        """The state of Airflow's parts; empty while there is no answer."""
        try:
            answer: dict[str, Any] = self.call("GET", "/api/v2/monitor/health")
        except (OSError, RuntimeError):
            return {}
        return answer

    def execution_api(self) -> bool:
        """Whether the API that workers talk to answers."""
        try:
            self.call("GET", "/execution/health")
        except (OSError, RuntimeError):
            return False
        return True

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The runs of a DAG, oldest first."""
        answer = self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns", limit=500, order_by="run_after")
        runs: list[dict[str, Any]] = answer["dag_runs"]
        return runs

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """The task instances of a run, by task id."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id, safe='')}/taskInstances"
        return {task["task_id"]: task for task in self.call("GET", path)["task_instances"]}

    def pause(self, dag_id: str, paused: bool) -> None:
        """Pause or unpause a DAG."""
        self.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": paused}, update_mask="is_paused")
