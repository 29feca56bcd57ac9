"""The wait of a ReadySensor: until a condition is satisfied for a business date.

It holds no connection: its documents come from the hub. The deadline is its own clock's too, so
that it ends its wait even if nobody is left to say that the deadline has passed.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_readiness import config
from airflow_readiness.core.condition import Condition, Moment, Verdict, from_json
from airflow_readiness.core.dates import business_date
from airflow_readiness.core.document import Launch, load_readiness
from airflow_readiness.core.names import source_key, split_source
from airflow_readiness.core.state import Readiness
from airflow_readiness.errors import BadDocument, BadInput, ReadinessError
from airflow_readiness.store.store import POSTGRES_DOWN, open_store
from airflow_readiness_triggers.hub import Hub, Watch, shared_hub
from airflow_readiness_triggers.resolved import resolved
from airflow_readiness_triggers.tasks import Backoff

log = logging.getLogger(__name__)

#: Seconds after a deadline within which the processor says so; then the trigger's own clock counts. The
#: flow's own times wait as long, so that what was ready by its deadline has arrived here.
GRACE: Final = 2.0
#: Seconds between two attempts to have a date opened that nobody knows.
ASK_AGAIN: Final = 15.0


class Wait:
    """The wait, apart from the trigger, so that it can be run anywhere."""

    # there are ten thousand of them
    __slots__ = ("_complained", "_condition", "_day", "_endpoints", "_timezone")

    def __init__(self, endpoints: config.Endpoints, condition: Condition, day: dt.date, timezone: str) -> None:
        self._endpoints = endpoints
        self._timezone = timezone
        self._condition = condition
        self._day = day
        self._complained: set[str] | None = None

    async def satisfied(self) -> Launch:
        """Wait until the condition is decided: satisfied, or skipped; why it is."""
        keys = [source_key(name, self._day.isoformat()) for name in self._condition.sources]
        async with shared_hub(self._endpoints) as hub, hub.watch(keys) as watch:
            del keys
            timeout = ASK_AGAIN
            while True:
                await watch.changed(timeout)
                launch = self._look(watch)
                if launch.decided_at:
                    return launch
                if unknown := sorted(set(self._condition.sources) - set(launch.sources)):
                    await self._ask(hub, unknown)
                timeout = ASK_AGAIN
                if launch.due_at:
                    timeout = (launch.due_at - dt.datetime.now(dt.timezone.utc)).total_seconds() + GRACE + 0.01
                # all that was known would be kept for as long as it waits
                del launch, unknown

    def _look(self, watch: Watch) -> Launch:
        now = dt.datetime.now(dt.timezone.utc)
        at = now - dt.timedelta(seconds=GRACE)
        known = self._known(watch, at)
        verdict, due_at, falls = self._condition.evaluate(known, Moment(at, self._day, self._timezone))
        decided_at = None if verdict is Verdict.WAITING else now
        return Launch(self._condition, self._day, known, decided_at=decided_at, due_at=due_at, verdict=falls)

    def _known(self, watch: Watch, at: dt.datetime) -> dict[str, Readiness]:
        known = {}
        for name, (key, document) in zip(self._condition.sources, watch.documents().items(), strict=True):
            try:
                if document is not None:
                    known[name] = load_readiness(document).at(at)
            except BadDocument as error:
                self._complained = self._complained or set()
                if document not in self._complained:
                    self._complained.add(str(document))
                    log.error("%s: %s", key, error)
        return known

    async def _ask(self, hub: Hub, names: list[str]) -> None:
        """Have this date judged from now on; the processor writes what is known of it."""
        async with hub.asking:
            try:
                async with open_store(self._endpoints.postgres) as store:
                    for name in names:
                        await store.run("expect", *split_source(name), self._day, None)
            except POSTGRES_DOWN as error:
                log.warning("%s for %s: nothing is known, and Postgres cannot be asked (%s)",
                            ", ".join(names), self._day, error)  # fmt: skip


class ReadyTrigger(BaseTrigger):
    """Waits until a condition is satisfied for a business date.

    :param condition: as ``Condition.to_json`` wrote it
    :param business_date: ``YYYY-MM-DD`` or an ISO 8601 instant, whose date in ``[readiness] timezone``
        counts; a template where the task starts from the trigger
    """

    def __init__(self, condition: Any, business_date: str) -> None:
        super().__init__()
        self.condition = condition
        self.business_date = business_date

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments, as Airflow stores them."""
        return (
            "airflow_readiness_triggers.ready.ReadyTrigger",
            {"condition": self.condition, "business_date": self.business_date},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: ``{"launch": …}``, or ``{"error": …}`` if the arguments cannot be used."""
        backoff = Backoff()
        while True:
            try:
                settings, endpoints = await resolved()
                day = business_date(self.business_date, settings.timezone)
                wait = Wait(endpoints, from_json(self.condition), day, settings.timezone)
                launch = await wait.satisfied()
            except BadInput as error:
                yield TriggerEvent({"error": str(error)})
                return
            except ReadinessError as error:
                log.error("%s", error)
                await backoff.pause()
            else:
                yield TriggerEvent({"launch": launch.to_json()})
                return
