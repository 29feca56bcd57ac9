"""The same flows without this product, the way Airflow offers: one deferrable task for each source.

It waits for its source's logs or deadline and publishes the source's own asset for the date; the
flows are scheduled on these assets. Written as a careful engineer would: outages are waited out,
the task is tried again, settings and deadlines are read anew at every poll.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
from airflow.sdk import Asset, BaseOperator, Context
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_readiness import config

log = logging.getLogger(__name__)

_SETTLED = """
select count(distinct l.load_id) >= max(s.log_count) or clock_timestamp() >= max(p.deadline_override) as settled
from readiness.processed_log as p
join readiness.log_setting as s using (source_database, source_table)
left join readiness.fm_log as l using (source_database, source_table, business_date)
where p.source = $1 and p.business_date = $2::text::date and s.valid_to is null
"""


class NativeTrigger(BaseTrigger):
    """Polls Postgres every second until a source is ready or past its deadline."""

    def __init__(self, source: str, day: str) -> None:
        super().__init__()
        self.source = source
        self.day = day

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "tests.faults.native.NativeTrigger", {"source": self.source, "day": self.day}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        endpoints = await config.aendpoints(await asyncio.to_thread(config.load))
        while True:
            try:
                connection = await asyncpg.connect(**endpoints.postgres, timeout=5, command_timeout=5)
                try:
                    settled = await connection.fetchval(_SETTLED, self.source, self.day)
                finally:
                    connection.terminate()
            except (OSError, TimeoutError, asyncio.TimeoutError, asyncpg.PostgresError) as error:
                log.warning("%s for %s: %s", self.source, self.day, error)
            else:
                if settled:
                    yield TriggerEvent({})
                    return
            await asyncio.sleep(1)


class NativeSensor(BaseOperator):
    """Waits without a worker, then publishes the source's asset for the date of ``dag_run.conf``."""

    def execute(self, context: Context) -> None:
        (asset,) = self.outlets
        self.defer(trigger=NativeTrigger(asset.name, _day(context)), method_name="publish")

    def publish(self, context: Context, event: Any) -> None:
        (asset,) = self.outlets
        assert isinstance(asset, Asset)
        context["outlet_events"][asset].add_partitions([_day(context)])


def _day(context: Context) -> str:
    return str((context["dag_run"].conf or {})["day"])
