"""What Airflow has, for tests of the registrar that need no Airflow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from airflow_readiness.airflow_metadata import EventSeen, FlowSeen, Seen
from airflow_readiness.core.condition import Condition
from airflow_readiness.core.document import Launch, load_launch
from airflow_readiness.core.names import LAUNCH_GROUP, SOURCE_GROUP


class Airflow:
    """What Airflow has, as the registrar would read it."""

    def __init__(self) -> None:
        self.flows: list[FlowSeen] = []
        self.events: list[EventSeen] = []
        self.runs: dict[tuple[str, str], str | None] = {}
        self.broken: Exception | None = None
        self.since: list[dt.datetime] = []
        self.wanted: list[tuple[str, str]] = []
        self.started: list[tuple[str, str]] = []
        self.failed: list[tuple[str, str]] = []
        #: what the runs that were started or failed are told
        self.evidence: list[Launch] = []
        self.refuses: Exception | None = None
        self.hastened: list[str] = []
        self.pools: list[str] = []

    def start_run(self, dag_id: str, key: str, conf: dict[str, Any], rerun: int = 0) -> bool:
        if self.refuses:
            raise self.refuses
        launch = load_launch(conf["readiness"])
        assert launch.business_date.isoformat() == key
        assert launch.rerun == rerun
        self.started.append((dag_id, key))
        self.evidence.append(launch)
        return True

    def fail_run(self, dag_id: str, key: str, conf: dict[str, Any]) -> bool:
        if self.refuses:
            raise self.refuses
        self.failed.append((dag_id, key))
        self.evidence.append(load_launch(conf["readiness"]))
        return True

    def run_id(self, key: str, rerun: int = 0) -> str:
        return f"run {key} {rerun}"

    def keep_pool(self, name: str) -> bool:
        new = name not in self.pools
        self.pools.append(name)
        return new

    def hasten(self, dag_id: str) -> int:
        self.hastened.append(dag_id)
        return 1

    def look(self, since: dt.datetime, wanted: Iterable[tuple[str, str]]) -> Seen:
        self.since.append(since)
        if self.broken:
            raise self.broken
        self.wanted = sorted(wanted)
        runs = {pair: run for pair, run in self.runs.items() if pair in self.wanted}
        return Seen(list(self.flows), list(self.events), runs, 2, ("x",))


def seen(
    dag_id: str, condition: Condition, *, paused: bool = False, broken: bool = False, extra: Any = None
) -> FlowSeen:
    """A flow on a condition."""
    return FlowSeen(dag_id, paused, broken, {"condition": condition.to_json()} if extra is None else extra)


def event(condition: Condition, key: str, *, ago: float = 10, extra: Any = None) -> EventSeen:
    """The event of a launch, so many seconds ago."""
    extra = {"condition": condition.to_json()} if extra is None else extra
    return EventSeen(
        LAUNCH_GROUP, condition.text, key, dt.datetime.now(dt.timezone.utc) - dt.timedelta(seconds=ago), extra
    )


def source_event(name: str, key: str) -> EventSeen:
    """A source's own event."""
    return EventSeen(SOURCE_GROUP, name, key, dt.datetime.now(dt.timezone.utc), {})
