"""The wait for something to tell: a source that was missed, came late, or is at risk.

It only looks; who is told of what is claimed on the worker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from airflow_readiness import config
from airflow_readiness.core.names import ALARM_CHANNEL, AT_RISK
from airflow_readiness.errors import ReadinessError
from airflow_readiness.store.store import POSTGRES_DOWN, Store, open_store
from airflow_readiness_triggers.tasks import Backoff, limited, wait_for_event

log = logging.getLogger(__name__)

#: Seconds between two looks although nobody has rung.
LOOK: Final = 30.0
#: Seconds between two looks at the usual times of all sources that are waited for.
RISK: Final = 300.0


class Alarms:
    """The wait, apart from the trigger, so that it can be run anywhere.

    :param notifiers: kind → the names of its notifiers
    """

    def __init__(self, endpoint: dict[str, Any], notifiers: Mapping[str, Sequence[str]]) -> None:
        self._endpoint = endpoint
        pairs = [(kind, name) for kind, names in notifiers.items() for name in names]
        self._all = _columns(pairs)
        self._quick = _columns([pair for pair in pairs if pair[0] != AT_RISK])
        self._rung = asyncio.Event()
        self._full_at = 0.0
        self._complaint = ""

    async def something_due(self) -> None:
        """Wait until there is something to tell."""
        backoff = Backoff()
        while True:
            try:
                async with open_store(self._endpoint) as store:
                    await self._due(store, backoff)
                    return
            except POSTGRES_DOWN as error:
                sentence = f"alarms wait for Postgres ({type(error).__name__}: {error})"
                if sentence != self._complaint:
                    log.warning("%s", sentence)
                self._complaint = sentence
            await backoff.pause()

    async def _due(self, store: Store, backoff: Backoff) -> None:
        now = asyncio.get_running_loop().time
        await store.ring_on(lambda _payload: self._rung.set(), ALARM_CHANNEL)
        store.connection.add_termination_listener(lambda _connection: self._rung.set())
        self._full_at = 0
        while True:
            self._rung.clear()
            await store.run("beat", "alarms", None, {})
            full = now() >= self._full_at
            if await store.fetch("alarms_due", *(self._all if full else self._quick)):
                return
            if full:
                (soon,) = await store.fetch("next_alarm", self._all[0])
                self._full_at = now() + min(RISK, RISK if soon["seconds"] is None else soon["seconds"] + 0.05)
            backoff.reset()
            self._complaint = ""
            await wait_for_event(self._rung, min(LOOK, self._full_at - now()))


def _columns(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [kind for kind, _ in pairs], [name for _, name in pairs]


class AlarmTrigger(BaseTrigger):
    """Waits for something to tell, then wakes the task.

    :param notifiers: kind → the names of its notifiers
    :param rotate: seconds after which the task ends without a worker
    """

    def __init__(self, notifiers: dict[str, list[str]], rotate: float) -> None:
        super().__init__()
        self.notifiers = notifiers
        self.rotate = rotate

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments, as Airflow stores them."""
        return (
            "airflow_readiness_triggers.alarms.AlarmTrigger",
            {"notifiers": self.notifiers, "rotate": self.rotate},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: there is something to tell, or the task has grown old."""
        backoff = Backoff()
        until = asyncio.get_running_loop().time() + self.rotate
        while (left := until - asyncio.get_running_loop().time()) > 0:
            try:
                settings = await asyncio.to_thread(config.load)
                endpoints = await config.aendpoints(settings)
                await limited(Alarms(endpoints.postgres, self.notifiers).something_due(), left)
            except TimeoutError:
                break
            except ReadinessError as error:
                log.error("%s", error)
                await backoff.pause()
            else:
                yield TriggerEvent({"due": "alarms"})
                return
        yield TaskSuccessEvent()
