"""The tab of a DAG: what it waits for, with the evidence, and its last thirty days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from airflow_readiness.core.clock import Clock
from airflow_readiness.core.condition import Condition
from airflow_readiness.diagnosis import Health, Problem
from airflow_readiness.errors import BadInput
from airflow_readiness.operating.why import answer_of
from airflow_readiness.store.store import Row
from airflow_readiness.ui.airflow_side import Flow, Parsed
from airflow_readiness.ui.flow_state import Asked, Launched, Standing, against
from airflow_readiness.ui.pool import Answer
from airflow_readiness.ui.seen import Now, Source, instant, now_of, said, sources_of
from airflow_readiness.ui.tree import tree

#: Days of the strip.
DAYS = 30


def flow_of(
    flow: Flow,
    waits_for: Parsed,
    day: dt.date,
    answer: Answer,
    health: Health | None,
    zone: str,
    *,
    flow_acts: bool,
    source_acts: bool,
) -> dict[str, Any]:
    """The answer to ``api/flows/{dag_id}`` for a DAG that is a flow."""
    now = now_of(answer, zone)
    row: Row = answer.row or {"dag_id": None, "sources": (), "by_hand": (), "days": (), "dropped": 0}
    sources = sources_of(row["sources"], day, now)
    asked = _asked(flow, waits_for, day, row, sources)
    how = Standing(now).of(asked)
    condition = waits_for.condition
    return {
        "dag_id": flow.dag_id,
        "consumer": True,
        "business_date": day.isoformat(),
        "now": said(now.clock.now),
        "timezone": now.clock.zone,
        "state": how.state,
        "sentence": how.sentence,
        "why": _why(flow, condition, day, row, sources, now.clock, health),
        "condition": tree(condition),
        "sources": {name: _source_json(source, can_act=source_acts) for name, source in sources.items()},
        "deadline_at": said(how.deadline_at),
        "launch": _launch_json(row, asked),
        "run": {"run_id": asked.run_id, "state": flow.run_state} if asked.run_id else None,
        "pending": flow.on_its_way,
        "paused": flow.paused,
        "broken": flow.broken,
        "dropped": row["dropped"],
        "days": [_day_json(each, row, now) for each in row["days"]],
        "can_act": flow_acts,
        "stale": now.stale_json(),
    }


def _asked(flow: Flow, waits_for: Parsed, day: dt.date, row: Row, sources: Mapping[str, Source]) -> Asked:
    known = row["dag_id"] is not None
    launch = None
    if known and row["decided_at"]:
        evidence = row["evidence"]
        outcomes = {name: each["outcome"] for name, each in evidence.get("sources", {}).items()}
        launch = Launched(row["decided_at"], outcomes, evidence.get("verdict"), against(row))
    run_id = flow.run_id or (row["run_id"] if known else None)
    first_date = row["first_date"] if known else None
    return Asked(
        flow.dag_id,
        day,
        waits_for.condition,
        waits_for.text,
        first_date,
        launch,
        run_id,
        flow.on_its_way,
        flow.paused,
        flow.broken,
        sources,
        len(waits_for.sources),
    )


def _why(
    flow: Flow,
    condition: Condition,
    day: dt.date,
    row: Row,
    sources: Mapping[str, Source],
    clock: Clock,
    health: Health | None,
) -> list[str]:
    """What ``airflow readiness why`` says."""
    if row["dag_id"] is None:
        return []
    problems: tuple[Problem, ...] = ()
    if row["run_id"] is None and health:
        problems = health.problems
    # what Airflow says of the flow is newer than what the registrar has written
    row = {**row, "paused": flow.paused, "broken": flow.broken}
    by_hand = [{**each, "at": instant(each["at"])} for each in row["by_hand"]]
    known = [source.known for source in sources.values()]
    try:
        return list(answer_of(row, condition, known, by_hand, problems, day, clock).parts())
    except BadInput:
        # evidence of another version
        return []


def _source_json(source: Source, *, can_act: bool) -> dict[str, Any]:
    logs = [{**log, "logged_at": said(instant(log["logged_at"]))} for log in source.row["last_logs"]]
    return {
        **source.to_json(can_act=can_act),
        "last_logs": logs,
        "known_at": said(source.row["known_at"]),
    }


def _launch_json(row: Row, asked: Asked) -> dict[str, Any] | None:
    if asked.launch is None:
        return None
    return {
        "decided_at": said(asked.launch.decided_at),
        "decision": row["decision"],
        "published_at": said(row["published_at"]),
        "outcomes": dict(asked.launch.outcomes),
    }


def _day_json(each: Row, row: Row, now: Now) -> dict[str, Any]:
    day = dt.date.fromisoformat(each["day"])
    late_by = None
    against = each["decision"] in ("skipped", "failed") and each["run_id"] is None
    if each["decided_at"] is None:
        waits = row["first_date"] is not None and row["first_date"] <= day <= now.today
        state = "waiting" if waits and row["gone_at"] is None else "no_run"
    elif not each["due"]:
        state = "not_due"
    elif against or each["missed"]:
        state = "missed"
    elif each["without"]:
        state, late_by = "late", each["late_by"]
    else:
        state = "on_time"
    return {"date": each["day"], "state": state, "late_by": late_by, "run_id": each["run_id"]}
