"""A condition, and what is known of its sources, as a launch: decided, or to come."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_readiness.core.condition import Condition
from airflow_readiness.core.document import Launch
from airflow_readiness.core.evaluation import Moment, Verdict
from airflow_readiness.core.state import Readiness


def judge(condition: Condition, known: Mapping[str, Readiness], at: Moment) -> Launch:
    """What is known of a condition for a date; ``decided_at`` is set if it is decided."""
    verdict, due_at, falls = condition.evaluate(known, at)
    decided_at = at.now if verdict is not Verdict.WAITING else None
    return Launch(condition, at.business_date, known, decided_at=decided_at, due_at=due_at, verdict=falls)
