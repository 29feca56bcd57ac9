"""What happens in our Postgres, for the tests of the board."""

from __future__ import annotations

import datetime as dt
from typing import Any

from airflow_readiness import engine
from airflow_readiness.config import Config
from airflow_readiness.core.condition import Condition, combine, of_source
from airflow_readiness.store.store import Store

SALES, STORES, RATES, SECRET = map(of_source, ("hive.sales", "hive.stores", "hive.rates", "hive.secret"))
FLOWS: dict[str, Condition] = {
    "sales_report": combine("all", [SALES, STORES]),
    "rates_report": RATES,
    "secret_flow": combine("all", [SECRET, SALES]),
}


class World:
    """The registrar has seen the flows; somebody looks."""

    def __init__(self, store: Store, settings: Config, today: dt.date) -> None:
        self.store = store
        self.settings = settings
        self.today = today

    async def begin(self) -> None:
        """The flows are known since today, and everybody is at work."""
        await engine.configure(self.store, self.settings)
        for name, condition in FLOWS.items():
            row = {
                "dag_id": name,
                "condition": condition.text,
                "expression": condition.to_json(),
                "sources": list(condition.sources),
                "paused": False,
                "broken": False,
            }
            await self.store.run("upsert_flows", [row])
        await self.beat()
        await self.step()

    async def beat(self, ago: float = 0) -> None:
        """Processor, collector and registrar were seen so many seconds ago."""
        at = await engine.clock(self.store) - dt.timedelta(seconds=ago)
        for part, detail in (
            ("processor", {"redis": True}),
            ("collector", {"redis": True, "mode": "notifications"}),
            ("registrar", {"flows": 3, "triggerers": 1, "paused": []}),
        ):
            await self.store.run("beat", part, at, detail)

    async def step(self) -> None:
        """What the processor does."""
        await engine.tick(self.store, everything=True)

    async def settings_of(self, source: str, deadline: str, count: int = 1) -> None:
        """Set at release."""
        hour, minute = map(int, deadline.split(":"))
        await self.store.connection.execute(
            "select readiness.set_log_settings($1, $2, $3, $4, null, null, $5)",
            *source.split("."),
            hour,
            minute,
            count,
        )

    async def log(self, source: str, day: dt.date | None = None, at: dt.datetime | None = None) -> None:
        """One log row of a date; none: today."""
        await self.store.connection.execute(
            "select readiness.report_log($1, $2, business_date => $3, row_count => 7, logged_at => $4)",
            *source.split("."),
            day or self.today,
            at,
        )

    async def usually(self, source: str, at: str, weeks: int = 12) -> None:
        """It came at that time of the day on so many such weekdays."""
        await self.store.connection.execute(
            """
            insert into readiness.processed_log (source_database, source_table, business_date, state, log_count,
                needed, window_start, deadline_at, window_end, ready_at, changed_at)
            select $1, $2, day, 'ready', 1, 1, day::timestamp at time zone d.timezone,
                   (day + time '18:00') at time zone d.timezone, (day + 1)::timestamp at time zone d.timezone,
                   (day + $4::time) at time zone d.timezone, now()
            from readiness.deployment as d
            cross join (select $3::date - 7 * n as day from generate_series(1, $5) as n) as days
            """,
            *source.split("."),
            self.today,
            dt.time.fromisoformat(at),
            weeks,
        )

    async def judged(self, source: str, **columns: Any) -> None:
        """Today's row of a source, as it is said here."""
        names = ", ".join(f"{name} = ${number}" for number, name in enumerate(columns, 3))
        await self.store.connection.execute(
            f"update readiness.processed_log set {names} where source = $1 and business_date = $2",
            source,
            self.today,
            *columns.values(),
        )
