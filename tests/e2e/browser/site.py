"""Airflow as a browser reaches it."""

from __future__ import annotations

import asyncio
import datetime as dt
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Final

from playwright.async_api import Page

from tests.e2e.browser.canned import Night
from tests.e2e.world import World
from tests.tcp_proxy import TcpProxy

#: Milliseconds within which a page shows what has changed: it looks every five seconds.
SOON = 15_000


@dataclass(frozen=True, slots=True)
class Site:
    """A deployment under a path of its own."""

    world: World
    #: the way of the API server to our Postgres
    postgres: TcpProxy
    url: str

    @property
    def tonight(self) -> str:
        """The page of the navigation."""
        return f"{self.url}/plugin/readiness"

    def source(self, name: str) -> str:
        """The page of a source."""
        return f"{self.url}/plugin/readiness/sources/{name}"

    def flow(self, dag_id: str) -> str:
        """The tab of a DAG."""
        return f"{self.url}/dags/{dag_id}/plugin/readiness-dag"

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/v2/version", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    async def log(self, source: str, day: dt.date) -> None:
        """A log row of a source."""
        await asyncio.to_thread(self.world.log, source, [day])

    async def sql(self, query: str, *values: Any) -> list[Any]:
        """Rows of our Postgres."""
        return await asyncio.to_thread(self.world.stack.sql, query, *values)


#: A handler of Playwright's would take the browser's cache away, and each page many seconds.
INSTEAD: Final = """
const real = window.fetch;
window.fetch = async (address, options) => {
  const [, asked] = `${address}`.split("/readiness/api/");
  return asked === undefined ? real(address, options) : Response.json(await window.canned(asked));
};
"""


async def can(page: Page, night: Night) -> list[str]:
    """Answer what the page asks the board by a canned night. What it asked."""
    asked: list[str] = []

    def answer(address: str) -> Any:
        asked.append(address)
        kind, *rest = address.partition("?")[0].split("/")
        if kind in ("today", "dates"):
            return night.today()
        if kind == "preview":
            return night.preview()
        return night.page_of_flow(rest[0]) if kind == "flows" else night.page_of_source(rest[0])

    await page.expose_function("canned", answer)
    await page.add_init_script(INSTEAD)
    return asked
