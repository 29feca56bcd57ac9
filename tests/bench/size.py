"""How much is measured: by default what 2 cores do in a quarter of an hour; ``FULL=1`` for more."""

from __future__ import annotations

import os
from typing import Final

FULL: Final = bool(os.environ.get("FULL"))
#: Launches by this launcher, and by Airflow's floor.
LAUNCHES: Final = 20 if FULL else 6
#: Flows that are ready in one second.
FLOWS: Final = 500 if FULL else 100
#: Sensors that are deferred by workers; a fifth of them is started from the trigger.
SENSORS: Final = 5000 if FULL else 500
#: Launches whose median is taken beside half-ready pairs.
BESIDE: Final = 3 if FULL else 2
