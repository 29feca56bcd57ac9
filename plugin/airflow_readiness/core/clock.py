"""How instants are told to people: on the clock of the deployment; and to scripts: in UTC."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from airflow_readiness.core.dates import timezone


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of the deployment, as it stood when somebody asked."""

    zone: str
    now: dt.datetime

    @property
    def today(self) -> dt.date:
        """The date on that clock."""
        return self.local(self.now).date()

    def local(self, instant: dt.datetime) -> dt.datetime:
        """The same instant, in the time zone of the deployment."""
        return instant.astimezone(timezone(self.zone))

    def tell(self, instant: dt.datetime, day: dt.date | None = None) -> str:
        """``06:30`` on that day, else ``2026-11-21 20:00``."""
        local = self.local(instant)
        return f"{local:%H:%M}" if local.date() == day else f"{local:%Y-%m-%d %H:%M}"


def iso(instant: dt.datetime | None) -> str | None:
    """An instant for JSON, in UTC."""
    return instant.astimezone(dt.timezone.utc).isoformat() if instant else None
