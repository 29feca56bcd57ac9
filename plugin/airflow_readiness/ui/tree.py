"""A condition as the board's JSON has it."""

from __future__ import annotations

from typing import Any

from airflow_readiness.core.condition import Condition


def tree(condition: Condition) -> dict[str, Any]:
    """``{"source": …}``, ``{"all": […]}`` or ``{"any": […]}``."""
    if condition.op == "source":
        return {"source": condition.source}
    return {condition.op: [tree(part) for part in condition.parts]}
