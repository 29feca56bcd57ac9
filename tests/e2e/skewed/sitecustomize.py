"""Loaded by a Python whose clock libfaketime shifts.

Debian's 0.9.10 leaves the monotonic clock alone if told so, but then refuses every ``clock_nanosleep`` on it.
"""

import select
import time


def sleep(seconds: float) -> None:
    """As ``time.sleep``, by another system call."""
    select.select([], [], [], seconds)


vars(time)["sleep"] = sleep
