"""The sources that the triggers of the bench wait for."""

from __future__ import annotations

import datetime as dt
from typing import Final

from airflow_readiness.core.names import source_key
from airflow_readiness.core.state import Readiness, State

DAY: Final = dt.date(2026, 11, 22)
_FAR: Final = dt.datetime(2100, 1, 1, tzinfo=dt.timezone.utc)


def name(number: int) -> str:
    """One source."""
    return f"bench.s{number}"


def key(number: int) -> str:
    """Its key in Redis."""
    return source_key(name(number), DAY.isoformat())


def state(number: int, *, ready: bool) -> Readiness:
    """What is known of it."""
    ready_at = dt.datetime.now(dt.timezone.utc) if ready else None
    state = State.READY if ready else State.WAITING
    return Readiness(name(number), DAY, state, _FAR, int(ready), 1, ready_at=ready_at)
