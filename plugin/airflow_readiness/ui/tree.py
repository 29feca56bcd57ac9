"""A condition as the board's JSON has it."""

from __future__ import annotations

from typing import Any

from airflow_readiness.core.condition import Condition


def tree(condition: Condition) -> dict[str, Any]:
    """``{"source": …}``, ``{"all": […]}``, ``{"any": […]}``, ``{"at_least": n, "of": […], "grace": seconds}``.

    Times of its own are beside that: ``not_before`` and ``deadline`` (``HH:MM``), ``on`` (``run``, ``skip``).
    """
    if condition.op == "source":
        return {"source": condition.source}
    parts = [tree(part) for part in condition.parts]
    if condition.op == "at_least":
        return {"at_least": condition.n, "of": parts, "grace": condition.grace or None}
    if condition.op != "timed":
        return {condition.op: parts}
    clocks = {"not_before": condition.not_before, "deadline": condition.deadline}
    times = {name: f"{clock:%H:%M}" for name, clock in clocks.items() if clock}
    return {**parts[0], **times, **({"on": condition.on} if condition.deadline else {})}
