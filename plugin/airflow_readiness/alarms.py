"""The alarms' task: it waits in the triggerer, and tells on a worker what there is to tell.

A worker, because notifiers block and read Airflow's connections; a DAG of its own, because a notifier that
hangs must delay no launch. Each (source, business date, kind, notifier) is claimed in Postgres before it is
told and marked afterwards: it is told once, and again only if the worker died in between.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import urlencode

from airflow.sdk import BaseNotifier, BaseOperator
from airflow.triggers.base import StartTriggerArgs

from airflow_readiness import config
from airflow_readiness.core.clock import Clock
from airflow_readiness.core.names import AT_RISK, BOARD_ROUTE, LATE, MISSED
from airflow_readiness.core.usual import Usual
from airflow_readiness.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from airflow.sdk import Context

    from airflow_readiness.store.store import Row, Store

#: A notifier of Airflow, or any function that takes the context.
Notifier: TypeAlias = "BaseNotifier | Callable[[Any], Any]"

_TRIGGER = "airflow_readiness_triggers.alarms.AlarmTrigger"
#: Alarms that are claimed at once: told within the ten minutes for which they are ours.
BATCH: Final = 10
#: Seconds that one notifier may take; seconds after which the rest is left to the next run.
PATIENCE: Final = 30
LONG_ENOUGH: Final = 240.0
_SAYS: Final = {
    MISSED: "missed its deadline {deadline}",
    LATE: "came late, at {ready}: its deadline was {deadline}",
    AT_RISK: "is at risk: it is usually there by {usual}, its deadline is {deadline}",
}


def named(given: Notifier | Iterable[Notifier], argument: str) -> dict[str, Notifier]:
    """These notifiers by names that stay the same when others come or go.

    :raises BadInput: if one is neither a notifier nor a function
    """
    listed = [given] if isinstance(given, BaseNotifier) or callable(given) else list(given)
    seen: Counter[str] = Counter()
    found: dict[str, Notifier] = {}
    for each in listed:
        if not callable(each):
            raise BadInput(f"{argument} got {each!r}: give it notifiers, or functions that take the context")
        name = getattr(each, "__qualname__", None) or type(each).__qualname__
        seen[name] += 1
        found[name if seen[name] == 1 else f"{name} {seen[name]}"] = each
    return found


class AlarmOperator(BaseOperator):
    """Tells notifiers of sources that were missed, came late or are at risk, each once a business date.

    :param notifiers: kind (``missed``, ``late``, ``at_risk``) → its notifiers by name
    """

    start_from_trigger = True

    def __init__(self, *, notifiers: Mapping[str, Mapping[str, Notifier]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        settings = config.load()
        self.notifiers = notifiers
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=_TRIGGER,
            trigger_kwargs={
                "notifiers": {kind: list(named) for kind, named in notifiers.items()},
                "rotate": settings.fallback * 0.9,
            },
            next_method="tell",
            timeout=timedelta(seconds=settings.fallback),
        )

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """As Airflow does; if the trigger timed out or crashed, find out here what there is to tell."""
        if next_method != "tell":
            self.log.warning("the triggerer did not answer (%s); looking from the worker", next_kwargs)
            return self.tell(context)
        return super().resume_execution(next_method, next_kwargs, context)

    def execute(self, context: Context) -> None:
        """Tell what there is to tell."""
        self.tell(context)

    def tell(self, context: Context, event: Mapping[str, Any] | None = None) -> None:
        """Claim what is due, tell it, and write down what came of it.

        :param event: what woke the trigger; what is due is found out here
        """
        from airflow_readiness.store.store import POSTGRES_DOWN

        settings = config.load()
        endpoint = config.postgres_endpoint(settings)
        until = time.monotonic() + LONG_ENOUGH
        try:
            # a task that fails is started again at once, without end: the trigger backs off
            while time.monotonic() < until and (rows := self._claim(endpoint)):
                clock = Clock(settings.timezone, rows[0]["now"])
                for row in rows:
                    self._tell_one(context, row, clock, endpoint)
        except POSTGRES_DOWN as error:
            self.log.error("Postgres cannot be used (%s): what was not told is told later", error)

    def _claim(self, endpoint: dict[str, Any]) -> list[Row]:
        pairs = [(kind, name) for kind, by_name in self.notifiers.items() for name in by_name]
        columns = [kind for kind, _ in pairs], [name for _, name in pairs]
        rows: list[Row] = _with_store(endpoint, lambda store: store.fetch("claim_alarms", *columns, BATCH))
        return rows

    def _tell_one(self, context: Context, row: Row, clock: Clock, endpoint: dict[str, Any]) -> None:
        from airflow.sdk.exceptions import AirflowTaskTimeout
        from airflow.sdk.execution_time.timeout import timeout

        key = row["source"], row["business_date"], row["kind"], row["notifier"]
        ours = alarm_context(row, clock)
        notifier = self.notifiers[row["kind"]][row["notifier"]]
        try:
            with timeout(PATIENCE, f"no end within {PATIENCE} s"):  # type: ignore[no-untyped-call]
                # its own copies: a notifier renders its templates in place, once
                _notify(copy.copy(notifier), {**context, **ours})
        except (Exception, AirflowTaskTimeout) as error:
            says = f"{type(error).__name__}: {error}"[:1000]
            self.log.error("not told by %s: %s (%s; attempt %d of 5)",
                           row["notifier"], ours["message"], says, row["attempts"])  # fmt: skip
            _with_store(endpoint, lambda store: store.run("alarm_failed", *key, says))
        else:
            self.log.info("told by %s: %s", row["notifier"], ours["message"])
            _with_store(endpoint, lambda store: store.run("alarm_sent", *key))


def alarm_context(row: Row, clock: Clock) -> dict[str, Any]:
    """What a notifier's templates find beside the task's context.

    :param row: of the query ``claim_alarms``
    """
    day = row["business_date"]
    usual = Usual(row["samples"], row["usual"], row["slow"], None).tell()
    says = _SAYS[row["kind"]].format(
        deadline=clock.tell(row["deadline_at"], day),
        ready=clock.tell(row["ready_at"], day) if row["ready_at"] else "",
        usual=usual,
    )
    logs = f"{row['log_count']} of {row['needed']} logs"
    return {
        "source": row["source"],
        "business_date": day.isoformat(),
        "alarm": row["kind"],
        "state": row["state"],
        "deadline_at": clock.local(row["deadline_at"]),
        "ready_at": clock.local(row["ready_at"]) if row["ready_at"] else None,
        "log_count": row["log_count"],
        "needed": row["needed"],
        "usual": usual,
        "flows": list(row["flows"]),
        "board_url": board_url(row["source"], day.isoformat()),
        "message": f"{row['source']} {says} (business date {day}, {logs})",
    }


def board_url(source: str, business_date: str) -> str:
    """The board in Airflow's UI, with this source and date in view."""
    from airflow.sdk.configuration import conf

    base = conf.get("api", "base_url", fallback="").rstrip("/")
    return f"{base}/plugin/{BOARD_ROUTE}?{urlencode({'source': source, 'date': business_date})}"


def _notify(notifier: Notifier, context: dict[str, Any]) -> None:
    if isinstance(notifier, BaseNotifier) and type(notifier).notify is BaseNotifier.notify:
        # one that only knows the asynchronous way
        notifier.context = context  # type: ignore[assignment]

        async def wait() -> None:
            await notifier

        asyncio.run(wait())
        return
    notifier(context)


def _with_store(endpoint: dict[str, Any], work: Callable[[Store], Awaitable[Any]]) -> Any:
    from airflow_readiness.store.store import open_store

    async def run() -> Any:
        async with open_store(endpoint) as store:
            return await work(store)

    return asyncio.run(run())
