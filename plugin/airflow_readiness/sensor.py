"""ReadySensor: the wait for sources, for use inside any DAG."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.triggers.base import StartTriggerArgs

from airflow_readiness import config, farewell
from airflow_readiness.core.condition import Moment, Verdict, from_json
from airflow_readiness.core.dates import business_date
from airflow_readiness.core.document import Launch, load_launch
from airflow_readiness.core.explain import explain
from airflow_readiness.errors import BadInput
from airflow_readiness.schedule import condition_of, source

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.asset import BaseAsset

#: The run's partition key, else its logical date.
RUN_DATE = "{{ dag_run.partition_key or dag_run.logical_date or '' }}"
#: Seconds after the deadline after which a worker ends the wait, if no triggerer has.
MARGIN = 60.0
_RESUME = "resume"
_TRIGGER = "airflow_readiness_triggers.ready.ReadyTrigger"


class ReadySensor(BaseOperator):
    """Waits, without a worker, until sources are ready for a business date, or past their deadline.

    Returns (as XCom) why it ended: the condition, and for each source its outcome, ``ready_at`` and
    log count; ``airflow_readiness.core.document.load_launch`` makes a :class:`Launch` of it.

    :param condition: what :func:`airflow_readiness.ready` takes, or a name ``"a.b"``. Where a deadline
        says ``skip``, its own or that of a source, the task is skipped then; where one says ``fail``, it fails
    :param business_date: ``YYYY-MM-DD``, or an instant whose date in ``[readiness] timezone`` counts;
        templated; default: the run's partition key, else its logical date
    :param start_from_trigger: begin to wait in the triggerer, without a worker. Airflow then hands
        the whole DAG to the triggerer with each such task: for a handful per DAG
    """

    template_fields: Sequence[str] = ("business_date",)
    ui_color = "#e6f1f2"

    def __init__(
        self,
        *,
        condition: BaseAsset | str,
        business_date: str = RUN_DATE,
        start_from_trigger: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.condition = condition_of(source(condition) if isinstance(condition, str) else condition).to_json()
        self.business_date = business_date
        self.start_from_trigger = start_from_trigger
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=_TRIGGER,
            trigger_kwargs={"condition": self.condition, "business_date": business_date},
            next_method=_RESUME,
            timeout=timedelta(seconds=config.load().fallback),
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """Look; wait in the triggerer if it is not satisfied yet."""
        return self._look_or_wait()

    def resume(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """What the trigger found."""
        if "error" in event:
            raise BadInput(event["error"])
        return self._done(load_launch(event["launch"]))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """As Airflow does; a trigger that timed out or crashed is no failure: look, and wait on."""
        if next_method != _RESUME:
            self.log.warning("the triggerer did not answer (%s); looking from the worker", next_kwargs)
            return self._look_or_wait()
        return super().resume_execution(next_method, next_kwargs, context)

    def _look_or_wait(self) -> dict[str, Any]:
        from airflow_readiness.engine import look
        from airflow_readiness.store.store import POSTGRES_DOWN
        from airflow_readiness_triggers.ready import ReadyTrigger

        settings = config.load()
        day = business_date(self.business_date, settings.timezone)
        condition = from_json(self.condition)
        endpoints = config.endpoints(settings)
        timeout = settings.fallback
        try:
            launch = asyncio.run(look(endpoints.postgres, endpoints.redis, condition, day))
        except POSTGRES_DOWN as error:
            self.log.warning("Postgres cannot be read (%s); waiting for the triggerer", error)
        else:
            if launch.decided_at:
                return self._done(launch)
            if launch.due_at:
                left = launch.due_at - dt.datetime.now(dt.timezone.utc)
                timeout = max(left.total_seconds(), 0) + MARGIN
        farewell.hold_output_open()
        self.defer(
            trigger=ReadyTrigger(self.condition, day.isoformat()),
            method_name=_RESUME,
            timeout=timedelta(seconds=timeout),
        )

    def _done(self, launch: Launch) -> dict[str, Any]:
        if not launch.starts:
            at = Moment(
                launch.decided_at or dt.datetime.now(dt.timezone.utc),
                launch.business_date,
                config.load().timezone,
            )
            reasons = "; ".join(explain(launch.condition, launch.sources, at))
            ending = AirflowFailException if launch.verdict is Verdict.FAILED else AirflowSkipException
            raise ending(f"{launch.condition.text} for {launch.business_date} is {reasons}")
        for name, outcome in sorted(launch.outcomes.items()):
            self.log.info("%s for %s: %s", name, launch.business_date, outcome.value)
        return launch.to_json()
