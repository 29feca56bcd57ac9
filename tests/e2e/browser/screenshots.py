"""``make screenshots``: a deployment at five in the morning, with ninety days behind it, in both themes."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import sys
import time
from pathlib import Path

from playwright.async_api import Page

from airflow_readiness.demo.processes import wait_until
from airflow_readiness.demo.stack import Stack, stack
from tests.e2e.browser.browser import INSTALL, Theme, browser, chromium, context

HERE = Path(__file__).parent
#: flows in dags/night.py
FLOWS = 7
PAGES = {
    "board": "/plugin/readiness",
    "flow": "/dags/orders_by_country/plugin/readiness-dag",
    "source": "/plugin/readiness/sources/hive.fx_rates",
}
#: source → deadline (``+42``: minutes from now), log rows needed, and when its rows came today
TODAY: dict[str, tuple[str, int, list[str]]] = {
    "hive.fx_rates": ("+42", 1, []),
    "hive.orders_eu": ("+92", 3, ["04:31", "04:48"]),
    "hive.sales": ("06:30", 1, ["04:12"]),
    "hive.stores": ("06:30", 1, ["04:29"]),
    "crm.contacts": ("04:35", 1, []),
    "crm.invoices": ("03:45", 1, ["04:06"]),
}


def main() -> int:
    """Make them."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.browser.screenshots")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    parser.add_argument("--state", type=Path, default=Path(".demo/screenshots"))
    parser.add_argument("--serve", action="store_true", help="stay, to be looked at")
    arguments = parser.parse_args()
    if not chromium():
        sys.exit(INSTALL)
    zone, at_five = morning(dt.datetime.now(dt.timezone.utc))
    extra = {
        "AIRFLOW__READINESS__TIMEZONE": zone,
        "AIRFLOW__READINESS__DEFAULT_DEADLINE": "08:00",
    }

    def prepare(running: Stack) -> None:
        past = (HERE / "past.sql").read_text()
        running.script(past.replace("{zone}", zone).replace("{minutes}", str(at_five.minute)))
        for source, (deadline, needed, _) in TODAY.items():
            soon = at_five + dt.timedelta(minutes=int(deadline)) if deadline.startswith("+") else None
            hour, minute = (soon.hour, soon.minute) if soon else map(int, deadline.split(":"))
            query = "select readiness.set_log_settings($1, $2, $3, $4, 20, 0, $5)"
            running.sql(query, *source.split("."), hour, minute, needed)

    with stack(arguments.state, HERE / "dags", prepare=prepare, extra=extra) as running:
        play(running, at_five.date(), zone)
        arguments.out.mkdir(parents=True, exist_ok=True)
        asyncio.run(take(running.url, arguments.out))
        while arguments.serve:
            time.sleep(1)
    return 0


def morning(now: dt.datetime) -> tuple[str, dt.datetime]:
    """A zone in which it is five o'clock, more or less; and the time there."""
    offset = now.hour - 5
    offset -= 24 if offset > 12 else 0
    # the sign of these names is that of POSIX
    local = now - dt.timedelta(hours=offset)
    return (f"Etc/GMT{offset:+d}" if offset else "Etc/GMT"), local


def play(running: Stack, day: dt.date, zone: str) -> None:
    """What has come by five o'clock."""

    def registered() -> bool:
        return len(running.sql("select dag_id from readiness.flow where not broken")) == FLOWS

    wait_until(registered, 120, "the flows in the registry", pause=0.5)
    running.script((HERE / "past_launches.sql").read_text())
    for source, (_, _, times) in TODAY.items():
        for number, at in enumerate(times):
            running.sql(
                "select readiness.report_log($1::text, $2::text, $3::date, $4::bigint, $5::text, "
                "($3::date + $6::time) at time zone $7::text)",
                *source.split("."),
                day,
                1_184_230 + number,
                f"load-{number + 1}",
                dt.time.fromisoformat(at),
                zone,
            )

    def ran() -> bool:
        query = "select distinct dag_id from dag_run where partition_key = $1 and state = 'success'"
        return len(running.sql(query, day.isoformat(), database="airflow")) >= 3

    wait_until(ran, 120, "three flows that have run", pause=0.5)
    listens = "select from readiness.heartbeat where part = 'collector' and detail ? 'mode'"
    wait_until(lambda: bool(running.sql(listens)), 60, "a collector that listens", pause=0.5)


async def take(url: str, out: Path) -> None:
    """Each page in each theme, and the first one on a telephone."""
    async with browser() as found:
        for theme in ("light", "dark"):
            for name, path in PAGES.items():
                await _take(found, url + path, out / f"{name}-{theme}.png", theme)
        await _take(found, url + PAGES["board"], out / "board-narrow.png", "light", width=360)


async def _take(found: object, url: str, to: Path, theme: Theme, width: int = 1280) -> None:
    from playwright.async_api import Browser

    assert isinstance(found, Browser)
    window = await context(found, theme=theme, width=width)
    page = await window.new_page()
    await page.goto(url)
    await page.get_by_role(
        "heading",
        name="Condition" if "dags" in url else "Sources" if url.endswith("readiness") else "Last logs",
    ).wait_for()
    await page.wait_for_timeout(700)
    await page.set_viewport_size({"width": width, "height": await _height(page)})
    await page.wait_for_timeout(700)
    await page.screenshot(path=to)
    await window.close()


async def _height(page: Page) -> int:
    """As high as the page, which scrolls inside of Airflow's frame."""
    bottom = "() => { const all = document.querySelectorAll('section'); return all[all.length - 1]; }"
    last = (await page.evaluate_handle(bottom)).as_element()
    box = await last.bounding_box() if last else None
    return int(box["y"] + box["height"]) + 40 if box else 900


if __name__ == "__main__":
    sys.exit(main())
