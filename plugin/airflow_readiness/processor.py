"""The processor's task: it lives in the triggerer, and comes to a worker only if that is gone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.triggers.base import StartTriggerArgs

from airflow_readiness import config

if TYPE_CHECKING:
    from airflow.sdk import Context

_TRIGGER = "airflow_readiness_triggers.processor.ProcessorTrigger"


class ProcessOperator(BaseOperator):
    """Runs the :class:`ProcessorTrigger`; does one full step on a worker when no triggerer does."""

    start_from_trigger = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        settings = config.load()
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=_TRIGGER,
            # in time, so that while all is well no worker is needed
            trigger_kwargs={"rotate": settings.fallback * 0.9},
            next_method="execute",
            timeout=timedelta(seconds=settings.fallback),
        )

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """The trigger timed out or crashed: do its work here, once."""
        self.log.warning("the triggerer did not answer (%s); one step on the worker", next_kwargs)
        return self.execute(context)

    def execute(self, context: Context) -> None:
        """One full step."""
        from airflow_readiness.engine import full_step
        from airflow_readiness.store.store import open_store

        settings = config.load()
        endpoints = config.endpoints(settings)

        async def step() -> None:
            async with open_store(endpoints.postgres) as store:
                await full_step(store, settings, endpoints.redis)

        asyncio.run(step())
