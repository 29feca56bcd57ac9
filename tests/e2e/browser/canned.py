"""Answers of the JSON API as they could be on some night: every state, and text that is markup."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

Json = dict[str, Any]
ZONE = "Europe/Berlin"
MARKUP = "<img src=x onerror=\"document.title='broken into'\"><b>bold</b>"


def iso(instant: dt.datetime) -> str:
    """As the API writes an instant."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


class Night:
    """What the API says at one instant."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now.replace(microsecond=0)
        self.date = self.now.astimezone(ZoneInfo(ZONE)).date()
        self.can_act = True
        self.stale: Json | None = None
        self.launched: set[str] = set()

    def at(self, minutes: float) -> str:
        """So many minutes from now."""
        return iso(self.now + dt.timedelta(minutes=minutes))

    # ------------------------------------------------------------------ sources

    def source(self, name: str, state: str, deadline: float, ready: float | None = None, **more: Any) -> Json:
        """One source; times in minutes from now."""
        usual = more.pop("usual", (deadline - 70, deadline - 35))
        return {
            "name": name,
            "business_date": self.date.isoformat(),
            "state": state,
            "log_count": 0 if ready is None else 1,
            "needed": 1,
            "ready_at": None if ready is None else self.at(ready),
            "deadline_at": self.at(deadline),
            "window_start": self.at(deadline - 480),
            "window_end": self.at(deadline),
            "last_log_at": None if ready is None else self.at(ready),
            "configured": True,
            "usual": {"samples": 31, "p50": self.at(usual[0]), "p90": self.at(usual[1])}
            if usual
            else {"samples": 4, "p50": None, "p90": None},
            "can_act": self.can_act,
        } | more

    def sources(self) -> dict[str, Json]:
        """One of each state."""
        rows = [
            self.source("hive.fx_rates", "at_risk", 42, usual=(-18, 55)),
            self.source("hive.orders_eu", "waiting", 95, needed=3, log_count=2, last_log_at=self.at(-22)),
            self.source("hive.sales", "ready", 95, -48),
            self.source("hive.stores", "ready", 95, -12, usual=(-40, -20)),
            self.source("crm.contacts", "missed", -25, usual=(-80, -50)),
            self.source("crm.invoices", "late", -70, -31),
            self.source("lake.clicks", "unknown", 130),
            self.source("lake.sessions", "not_configured", 200, usual=None, configured=False),
            self.source("erp.ledger_of_a_company_with_a_very_long_name", "not_due", 430, usual=(300, 360)),
        ]
        return {row["name"]: row for row in rows}

    # ------------------------------------------------------------------ pages

    def flow(self, dag_id: str, state: str, sentence: str, sources: list[str], **more: Any) -> Json:
        """A row of tonight."""
        due = [self.sources()[name]["deadline_at"] for name in sources if name in self.sources()]
        launched = more.pop("launched", None)
        return {
            "dag_id": dag_id,
            "business_date": self.date.isoformat(),
            "state": state,
            "sentence": sentence,
            "condition": more.pop("condition", " & ".join(sources)),
            "deadline_at": max(due) if due else None,
            "launched_at": None if launched is None else self.at(launched),
            "run": None if launched is None else {"run_id": f"asset_triggered__{dag_id}", "state": "success"},
            "paused": False,
            "broken": False,
            "sources": sources,
            "can_act": self.can_act,
        } | more

    def flows(self) -> list[Json]:
        """One of each state."""
        usually = "usually 05:40, 18 min late, deadline in 42 min"
        return [
            self.flow(
                "currency_report",
                "at_risk",
                f"Waiting for 1 of 1: hive.fx_rates, {usually}.",
                ["hive.fx_rates"],
                **({"launched": 0} if "currency_report" in self.launched else {}),
            ),
            self.flow(
                "orders_by_country",
                "waiting",
                "Waiting for 1 of 2: hive.orders_eu has 2 of 3 logs, usually 06:05.",
                ["hive.orders_eu", "hive.sales"],
            ),
            self.flow(
                "sessions_daily",
                "unknown",
                "Nothing has looked for 14 minutes: the processor is not at work.",
                ["lake.clicks", "lake.sessions"],
                condition="lake.clicks | lake.sessions",
            ),
            self.flow("newsletter", "not_configured", MARKUP, ["lake.sessions"], paused=True),
            self.flow("ledger_close", "not_due", "Its day has not begun: logs count from 22:00 on.",
                      ["erp.ledger_of_a_company_with_a_very_long_name"]),
            self.flow("sales_by_region", "ready", "Launched 12 min ago: hive.sales and hive.stores were ready.",
                      ["hive.sales", "hive.stores"], launched=-12),
            self.flow("contact_dedup", "missed", "Launched at its deadline, without crm.contacts.",
                      ["crm.contacts"], launched=-25, broken=True),
            self.flow("quarter_close", "failed", "Made to fail at 05:30, without crm.contacts.",
                      ["crm.contacts"], launched=-25),
            self.flow("invoice_run", "late", "Launched at its deadline; crm.invoices came 39 min later.",
                      ["crm.invoices"], launched=-70),
        ]  # fmt: skip

    def health(self) -> Json:
        """All well, but for one."""
        return {
            "status": "degraded",
            "problems": [
                {
                    "level": "warning",
                    "text": "Redis forbids CONFIG SET and sends no events; client tracking is used.",
                    "remedy": "set notify-keyspace-events to Kg$ on the server",
                }
            ],
            "processor": {"beat_at": self.at(-0.1)},
            "collector": {"beat_at": self.at(-0.3)},
            "registrar": {"beat_at": self.at(-0.05)},
            "redis": {"mode": "tracking"},
            "triggerers": 2,
            "last_event_at": self.at(-12),
            "pending_pairs": 3,
            "pending_limit": 500,
        }

    def today(self) -> Json:
        """``GET api/today``"""
        return self._frame() | {
            "business_date": self.date.isoformat(),
            "health": self.health(),
            "flows": self.flows(),
            "sources": list(self.sources().values()),
            "hidden": 0,
        }

    def page_of_flow(self, dag_id: str) -> Json:
        """``GET api/flows/{dag_id}``"""
        known = self.sources()
        names = ["hive.fx_rates", "hive.orders_eu", "hive.sales", "lake.sessions"]
        states = ["on_time"] * 9 + ["late", "on_time", "on_time", "missed", "not_due", "on_time"]
        days = [
            {
                "date": (self.date - dt.timedelta(days=29 - index)).isoformat(),
                "state": "waiting" if index == 29 else "no_run" if index == 20 else states[index % 15],
                "late_by": 1260 if states[index % 15] == "late" and index not in (20, 29) else None,
                "run_id": None,
            }
            for index in range(30)
        ]
        return self._frame() | {
            "dag_id": dag_id,
            "consumer": True,
            "business_date": self.date.isoformat(),
            "state": "at_risk",
            "sentence": "Waiting for 2 of 4: hive.fx_rates, usually 05:40, 18 min late; hive.orders_eu.",
            "why": [
                "hive.fx_rates is at risk: by now it was there nine times of ten.",
                f"by hand: ann skipped x: {MARKUP}",
            ],
            "condition": {
                "all": [
                    {"source": "hive.fx_rates"},
                    {
                        "at_least": 1,
                        "of": [{"source": "hive.sales"}, {"source": "lake.sessions"}],
                        "grace": 900,
                        "not_before": "05:00",
                    },
                    {"source": "hive.orders_eu"},
                ]
            },
            "sources": {
                name: known[name] | {"last_logs": self.logs()[:1], "known_at": self.at(-0.1)} for name in names
            },
            "deadline_at": self.at(95),
            "launch": None,
            "run": None,
            "paused": False,
            "broken": False,
            "dropped": 0,
            "days": days,
            "can_act": self.can_act,
        }

    def logs(self) -> list[Json]:
        """The last rows."""
        return [
            {
                "logged_at": self.at(-48 - 1440 * day),
                "load_id": f"load-{day}",
                "row_count": 1200345 - day,
                "fm_table": "fm_log",
            }
            for day in range(8)
        ]

    def page_of_source(self, name: str) -> Json:
        """``GET api/sources/{name}``"""
        arrivals: list[Json] = []
        for index in range(90):
            back = 89 - index
            day = (self.now - dt.timedelta(days=back)).replace(hour=5, minute=0, second=0)
            deadline = day + dt.timedelta(minutes=30 if index < 40 else 60)
            ready = day + dt.timedelta(minutes=(index * 37) % 50 - 20)
            state = "on_time" if ready <= deadline else "late"
            if index in (17, 61):
                arrivals.append(
                    {
                        "date": day.date().isoformat(),
                        "ready_at": None,
                        "deadline_at": iso(deadline),
                        "state": "missed",
                    }
                )
                continue
            if index in (33, 74):
                ready, state = deadline + dt.timedelta(minutes=25), "late"
            state = "ready" if state == "on_time" else state
            came = {"date": day.date().isoformat(), "deadline_at": iso(deadline)}
            arrivals.append(came | {"ready_at": iso(ready), "state": state})
        setting = {
            "deadline": "07:00",
            "read_from": "20:00",
            "log_count": 1,
            "set_by": "release",
            "valid_to": None,
        }
        return self._frame() | {
            "name": name,
            "settings": setting | {"valid_from": self.at(-1440 * 49)},
            "history": [
                {
                    "what": "options",
                    "on_deadline": "skip",
                    "on_late": "rerun",
                    "calendar": ["mon", "tue"],
                    "owner": "finance",
                    "description": None,
                    "set_by": "release",
                    "scope": "night",
                    "valid_from": self.at(-1440 * 20),
                    "valid_to": None,
                },
                setting | {"valid_from": self.at(-1440 * 49)},
                setting
                | {
                    "deadline": "06:30",
                    "read_from": None,
                    "set_by": "ann",
                    "valid_from": self.at(-1440 * 200),
                    "valid_to": self.at(-1440 * 49),
                },
            ],
            "today": self.sources().get(name) or self.source(name, "waiting", 42),
            "last_logs": self.logs(),
            "arrivals": arrivals,
            "flows": [
                {
                    "dag_id": "currency_report",
                    "condition": "hive.fx_rates",
                    "deadline_at": self.at(42),
                    "paused": False,
                },
                {
                    "dag_id": "orders_by_country",
                    "condition": "hive.fx_rates & hive.sales",
                    "deadline_at": self.at(95),
                    "paused": True,
                },
            ],
            "can_act": self.can_act,
        }

    def preview(self) -> Json:
        """``GET api/preview``"""
        return {
            "starts": ["currency_report", "orders_by_country"],
            "text": "Two flows will start at once.",
            "cli": f"airflow readiness mark-ready hive.fx_rates --date {self.date} --reason '…'",
        }

    def _frame(self) -> Json:
        return {"now": iso(self.now), "timezone": ZONE, "stale": self.stale}
