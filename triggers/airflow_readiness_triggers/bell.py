"""How the processor learns that somebody has logged: each commit rings; in a storm of bells, none does.

NOTIFY takes a lock of the whole Postgres instance until its commit is on the disk, so those that ring
commit one by one: hundreds a second, where thousands could. So when it is rung too often, the processor
puts the bell away and looks by itself, until it is quiet.

No log row is missed by that. ``readiness.ring()`` leaves the bell alone only if it sees the flag ``storm``
and gets its share of a lock, which it keeps until its transaction has ended. The processor has that lock
for itself whenever it relies on the bell: before it does so again, it waits until all those have ended,
and then takes a step.
"""

from __future__ import annotations

import asyncio
from typing import Final

from airflow_readiness.store.store import Store

#: So many bells in a while (seconds) are a storm.
STORM: Final = 20
WHILE: Final = 0.2
#: Seconds for which it lasts at least.
LASTS: Final = 1.0
#: Seconds between two looks in it, at the least and, while somebody always logs, at the most.
PAUSE: Final = 0.1
LONGEST: Final = 0.5


class Bell:
    """Of one session of the processor. Until :meth:`rely_on` has answered, it is put away."""

    def __init__(self) -> None:
        #: whether whoever logs from now on rings; else look again after :attr:`pause` seconds
        self.relied_on = False
        self.pause = PAUSE
        self._storm_until = 0.0
        self._bells = 0
        self._counted_since = 0.0

    def rung(self) -> None:
        """Somebody rang."""
        self._bells += 1

    async def rely_on(self, store: Store) -> None:
        """Before a step: rely on the bell again, if it is quiet and nobody is under way who did not ring."""
        now = asyncio.get_running_loop().time()
        if self.relied_on or now < self._storm_until:
            return
        (lock,) = await store.fetch("take_bell")
        if lock["mine"]:
            await store.run("end_storm")
            self.relied_on, self.pause, self._bells = True, PAUSE, 0
        else:
            self.pause = min(self.pause * 1.5, LONGEST)

    async def put_away_in_storm(self, store: Store) -> None:
        """After a step: if it was rung too often of late, put it away."""
        now = asyncio.get_running_loop().time()
        if self.relied_on and self._bells >= STORM:
            await store.run("begin_storm")
            self.relied_on = False
            self._storm_until = now + LASTS
        if now - self._counted_since >= WHILE:
            self._bells, self._counted_since = 0, now
