"""When a source usually is ready, by what it did on such weekdays."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from airflow_readiness.core.clock import iso


@dataclass(frozen=True, slots=True)
class Usual:
    """When a source is ready on such weekdays; durations count from midnight of the business date.

    The durations are none where the samples are too few (less than ten in 90 days).
    """

    samples: int
    #: median, and 90th percentile
    usual: dt.timedelta | None
    slow: dt.timedelta | None
    #: the 90th percentile on this date, UTC
    slow_at: dt.datetime | None

    def tell(self) -> str:
        """``05:12 (90% by 05:50)``, or how many samples there are."""
        if self.usual is None or self.slow is None:
            return f"too few ({self.samples})"
        return f"{clock_of(self.usual)} (90% by {clock_of(self.slow)})"

    def to_json(self) -> dict[str, Any]:
        """Times of the clock, as ``tell`` writes them; null where the samples are too few."""
        return {
            "samples": self.samples,
            "usual": clock_of(self.usual),
            "slow": clock_of(self.slow),
            "slow_at": iso(self.slow_at),
        }


def clock_of(since_midnight: dt.timedelta | None) -> str | None:
    """``05:12``; ``20:10 -1d`` is on the evening before."""
    if since_midnight is None:
        return None
    days, rest = divmod(since_midnight, dt.timedelta(days=1))
    minutes = int(rest.total_seconds() // 60)
    return f"{minutes // 60:02}:{minutes % 60:02}" + (f" {days:+}d" if days else "")
