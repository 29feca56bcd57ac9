"""The board's first page: every flow and source of one date, joined of both sides."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from airflow_readiness.diagnosis import Health
from airflow_readiness.store.store import Row
from airflow_readiness.ui.access import Rights
from airflow_readiness.ui.airflow_side import Flow, Theirs
from airflow_readiness.ui.flow_state import Asked, Launched, Standing, Stands, against
from airflow_readiness.ui.health_now import health_json
from airflow_readiness.ui.pool import Answer
from airflow_readiness.ui.seen import Source, instant, now_of, said, sources_of, unseen

#: Flows and sources of one answer, at the most: it stays below 500 KB.
LIMIT: Final = 500
#: What is told first of what is as urgent.
_ORDER: Final = {
    "unknown": 0,
    "at_risk": 0,
    "not_configured": 1,
    "waiting": 1,
    "missed": 2,
    "failed": 2,
    "late": 3,
    "ready": 4,
    "skipped": 5,
    "not_due": 5,
}


def board_of(
    day: dt.date, theirs: Theirs, answer: Answer, rights: Rights, health: Health | None, zone: str
) -> dict[str, Any]:
    """The answer to ``api/today`` and ``api/dates/{date}``."""
    now = now_of(answer, zone)
    row = answer.row or {"sources": (), "flows": (), "last_event_at": None}
    sources = sources_of(row["sources"], day, now)
    standing = Standing(now)
    ours = {each["dag_id"]: each for each in row["flows"]}
    told = [
        (standing.of(asked), flow, asked)
        for flow in theirs.flows.values()
        if flow.dag_id in rights.readable and flow.waits_for
        for asked in [_asked(flow, day, ours.get(flow.dag_id), sources)]
    ]
    told.sort(key=lambda each: (each[0].slack, _ORDER.get(each[0].state, 0), each[1].dag_id))
    waited_for = {name for _, flow, _ in told if flow.waits_for for name in flow.waits_for.sources}
    visible = [source for name, source in sources.items() if rights.sees(name, waited_for)]
    visible += [unseen(name, day, now) for name in sorted(waited_for - sources.keys()) if answer.row]
    visible.sort(key=_urgency)
    return {
        "now": said(now.clock.now),
        "timezone": now.clock.zone,
        "business_date": day.isoformat(),
        "health": health_json(health, now, theirs, row["last_event_at"]),
        "stale": now.stale_json(),
        "flows": [_flow_json(how, flow, asked, rights) for how, flow, asked in told[:LIMIT]],
        "sources": [source.to_json(can_act=rights.changes_assets) for source in visible[:LIMIT]],
        "hidden": max(0, len(told) - LIMIT),
        "hidden_sources": max(0, len(visible) - LIMIT),
    }


def _asked(flow: Flow, day: dt.date, ours: Row | None, sources: Mapping[str, Source]) -> Asked:
    assert flow.waits_for
    launch = None
    if ours and (decided_at := instant(ours["decided_at"])):
        launch = Launched(decided_at, ours["outcomes"] or {}, ours["verdict"], against(ours))
    return Asked(
        flow.dag_id,
        day,
        flow.waits_for.condition,
        flow.waits_for.text,
        dt.date.fromisoformat(ours["first_date"]) if ours else None,
        launch,
        flow.run_id or (ours["run_id"] if ours else None),
        flow.on_its_way,
        flow.paused,
        flow.broken,
        {name: sources[name] for name in flow.waits_for.sources if name in sources},
        len(flow.waits_for.sources),
    )


def _flow_json(how: Stands, flow: Flow, asked: Asked, rights: Rights) -> dict[str, Any]:
    launched_at = flow.queued_at if flow.run_id else None
    if asked.launch and not (asked.launch.against and not asked.run_id):
        launched_at = asked.launch.decided_at
    return {
        "dag_id": flow.dag_id,
        "business_date": asked.day.isoformat(),
        "state": how.state,
        "sentence": how.sentence,
        "condition": asked.text,
        "deadline_at": said(how.deadline_at),
        "launched_at": said(launched_at),
        "run": {"run_id": asked.run_id, "state": flow.run_state} if asked.run_id else None,
        "pending": flow.on_its_way,
        "paused": flow.paused,
        "broken": flow.broken,
        "sources": list(flow.waits_for.sources) if flow.waits_for else [],
        "can_act": flow.dag_id in rights.changeable,
    }


def _urgency(source: Source) -> tuple[int, float, str]:
    due = source.readiness.deadline_at.timestamp() if source.readiness else float("inf")
    return _ORDER.get(source.state, 0), due, source.known.source
