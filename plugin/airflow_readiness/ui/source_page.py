"""The page of a source: its settings and their history, its arrivals, and who waits for it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from airflow_readiness.operating.known import judge
from airflow_readiness.ui import access
from airflow_readiness.ui.access import Rights
from airflow_readiness.ui.airflow_side import Flow
from airflow_readiness.ui.pool import Answer
from airflow_readiness.ui.seen import Now, Source, instant, now_of, said, source_of


def source_page(
    asked: access.Source, day: dt.date, answer: Answer, rights: Rights, zone: str
) -> dict[str, Any] | None:
    """The answer to ``api/sources/{name}``; none if nobody knows this source."""
    now, row = now_of(answer, zone), answer.row
    known = row is not None and (row["judged"] or row["history"])
    if not asked.theirs.flows and row is not None and not known:
        return None
    today = source_of(row["today"], day, now) if row else None
    history = [_setting(each) for each in row["history"]] if row else []
    return {
        "name": asked.name,
        "now": said(now.clock.now),
        "timezone": now.clock.zone,
        "settings": _in_force(history),
        "history": history,
        "today": today.to_json(can_act=asked.can_act) if today else None,
        "last_logs": [{**log, "logged_at": said(instant(log["logged_at"]))} for log in row["last_logs"]]
        if row
        else [],
        "arrivals": [
            {
                **each,
                "ready_at": said(instant(each["ready_at"])),
                "deadline_at": said(instant(each["deadline_at"])),
            }
            for each in (row["arrivals"] if row else ())
        ],
        "flows": _flows(asked, day, today, rights, now),
        "can_act": asked.can_act,
        "stale": now.stale_json(),
    }


def _in_force(history: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Both kinds in one; who set it, and when, is of the seven if they are there."""
    of_each = {each["what"]: each for each in reversed(history) if each["valid_to"] is None}
    both = {**of_each.get("options", {}), **of_each.get("settings", {})}
    return {name: value for name, value in both.items() if name != "what"} or None


def _setting(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "valid_from": said(instant(row["valid_from"])), "valid_to": said(instant(row["valid_to"]))}


def _flows(
    asked: access.Source, day: dt.date, today: Source | None, rights: Rights, now: Now
) -> list[dict[str, Any]]:
    """Those that may be read; that whose deadline breaks first is the first.

    By this source alone, as if the others never came: what it does to them.
    """
    known = {asked.name: today.readiness} if today and today.readiness else {}

    def due(flow: Flow) -> dt.datetime | None:
        if flow.waits_for is None:
            return None
        return judge(flow.waits_for.condition, known, day, now.clock).due_at or (
            today.readiness.deadline_at if today and today.readiness else None
        )

    rows = [
        (due(flow), flow)
        for flow in asked.theirs.flows.values()
        if flow.dag_id in rights.readable and flow.waits_for
    ]
    rows.sort(key=lambda each: (each[0] is None, each[0], each[1].dag_id))
    return [
        {
            "dag_id": flow.dag_id,
            "condition": flow.waits_for.text if flow.waits_for else "",
            "deadline_at": said(at),
            "paused": flow.paused,
        }
        for at, flow in rows
    ]
