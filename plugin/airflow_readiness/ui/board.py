"""What the app owns: the connections to our Postgres, the last health, one look at Airflow for all."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from typing import Final

from airflow_readiness import config
from airflow_readiness.core.dates import timezone
from airflow_readiness.errors import BadInput
from airflow_readiness.health import check_deployment
from airflow_readiness.ui import airflow_side, pool
from airflow_readiness.ui.airflow_side import Theirs
from airflow_readiness.ui.health_now import HealthNow

#: Seconds for which the configured time zone is taken as read.
_ZONE: Final = 30.0


class Board:
    """It lives on one event loop; the app's lifespan closes it."""

    def __init__(self) -> None:
        self.ours = pool.Ours()
        self.health = HealthNow(check_deployment)
        self._looks: dict[dt.date, tuple[float, asyncio.Task[Theirs]]] = {}
        self._zone = ""
        self._zone_at = float("-inf")

    def zone(self) -> str:
        """The configured time zone; UTC if it is none, which the health tells of."""
        if time.monotonic() - self._zone_at > _ZONE:
            try:
                self._zone = config.load().timezone
                timezone(self._zone)
            except BadInput:
                self._zone = "UTC"
            self._zone_at = time.monotonic()
        return self._zone

    async def theirs(self, day: dt.date) -> Theirs:
        """What Airflow has for a date. Who asks within a second gets the same."""
        now = time.monotonic()
        self._looks = {each: look for each, look in self._looks.items() if now - look[0] < pool.SHARED}
        if day not in self._looks:
            task = asyncio.create_task(asyncio.to_thread(airflow_side.on_date, day), name="readiness-airflow")
            self._looks[day] = now, task
        return await asyncio.shield(self._looks[day][1])

    async def close(self) -> None:
        """Give up what is under way, and every connection."""
        await self.ours.close()
        await self.health.close()
        await asyncio.gather(*(task for _, task in self._looks.values()), return_exceptions=True)
