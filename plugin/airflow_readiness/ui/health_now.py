"""The deployment's health for everybody who looks: checked anew every few seconds, and waited for by nobody."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from airflow_readiness.diagnosis import Health
from airflow_readiness.ui.airflow_side import Theirs
from airflow_readiness.ui.seen import Now, said

log = logging.getLogger(__name__)

#: Seconds for which a check holds; for which a page waits for one.
FRESH: Final = 5.0
PATIENCE: Final = 1.0
#: Pairs that Airflow's scheduler looks at in one loop.
PENDING_LIMIT: Final = 500
_STATUS: Final = ("ok", "degraded", "down")


class HealthNow:
    """The last check, and the one under way. It lives on one event loop; its owner closes it."""

    def __init__(self, check: Callable[[], Awaitable[Health]]) -> None:
        self._check = check
        self._task: asyncio.Task[None] | None = None
        self._last: Health | None = None
        self._at = float("-inf")

    async def get(self) -> Health | None:
        """The last check; none if there was none yet, and this one takes long."""
        if time.monotonic() - self._at > FRESH and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._look(), name="readiness-board-health")
        if self._task and not self._task.done():
            await asyncio.wait({self._task}, timeout=PATIENCE)
        return self._last

    async def _look(self) -> None:
        try:
            self._last = await self._check()
        except Exception:
            log.exception("the health cannot be checked; trying on")
        self._at = time.monotonic()

    async def close(self) -> None:
        """Give up the check that is under way."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def without_names(health: Health) -> Health:
    """The same for who may not read every flow: the names of some, or what a server said, are in brackets."""
    problems = tuple(replace(each, what=each.what.partition(" (")[0]) for each in health.problems)
    return replace(health, problems=problems)


def health_json(health: Health | None, now: Now, theirs: Theirs, last_event_at: Any) -> dict[str, Any]:
    """The board's ``health``."""
    problems = [] if health is None else health.problems
    return {
        "status": "unknown" if health is None else _STATUS[health.exit_code],
        "problems": [
            {"part": each.part, "level": each.severity, "text": each.what, "remedy": each.remedy}
            for each in problems
        ],
        **{part: {"beat_at": said(now.beats.get(part))} for part in ("processor", "collector", "registrar")},
        "redis": {"mode": now.details.get("collector", {}).get("mode")},
        "triggerers": theirs.triggerers,
        "last_event_at": said(last_event_at),
        "pending_pairs": theirs.pending_pairs,
        "pending_limit": PENDING_LIMIT,
    }
