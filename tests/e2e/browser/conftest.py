"""The session's Airflow, seen in a browser: by a second API server under a path of its own, with users."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from airflow_readiness.demo.processes import wait_until
from airflow_readiness.demo.servers import free_port
from airflow_readiness.demo.stack import connection
from tests.e2e.world import World
from tests.tcp_proxy import TcpProxy

pytest.importorskip("playwright", reason="pip install playwright, for the tests in a browser")

from playwright.async_api import Browser, BrowserContext, Page

from tests.e2e.browser.browser import INSTALL, browser, chromium, context
from tests.e2e.browser.site import Site

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser they are skipped."""
    for item in items:
        if item.path.is_relative_to(HERE) and not chromium():
            item.add_marker(pytest.mark.skip(reason=INSTALL))


@pytest.fixture(scope="session")
def site(world: World) -> Iterator[Site]:
    """The second API server; its way to our Postgres can be cut."""
    port = free_port()
    passwords = world.folder / "passwords.json"
    passwords.write_text(json.dumps({name: name for name in ("vera", "ulf", "ada")}))
    postgres = world.stack.postgres
    (socket,) = (each for each in Path(postgres.host).glob(".s.PGSQL.*") if each.is_socket())
    with TcpProxy(str(socket)) as proxy:
        ours = connection(
            "postgres", host="127.0.0.1", port=proxy.port, login=postgres.user, schema="readiness"
        )
        world.stack.start(
            "api-server",
            "browser",
            AIRFLOW__API__PORT=str(port),
            AIRFLOW__API__BASE_URL=f"http://127.0.0.1:{port}/below",
            AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS="False",
            AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS="vera:viewer,ulf:user,ada:admin",
            AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=str(passwords),
            AIRFLOW_CONN_READINESS_POSTGRES=ours,
        )
        found = Site(world, proxy, f"http://127.0.0.1:{port}/below")
        try:
            wait_until(found.answers, 90, "the second API server", pause=0.5)
            yield found
        finally:
            proxy.passing()
            world.stack.airflow.terminate("browser")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chrome() -> AsyncIterator[Browser]:
    """One browser for all; each page has a window without cookies."""
    async with browser() as found:
        yield found


class Windows:
    """Opens pages, and notes what went wrong in them; one window for each user, which keeps its cache."""

    def __init__(self, site: Site, chrome: Browser) -> None:
        self._site = site
        self._chrome = chrome
        self._windows: dict[str, BrowserContext] = {}
        self.errors: list[str] = []

    async def open(self, user: str = "ada", *, width: int = 1280) -> Page:
        """A page of somebody who has signed in."""
        if user not in self._windows:
            cookie = {
                "name": "_token",
                "value": await asyncio.to_thread(self._sign_in, user),
                "url": self._site.url,
            }
            self._windows[user] = await context(self._chrome)
            await self._windows[user].add_cookies([cookie])  # type: ignore[list-item]
        page = await self._windows[user].new_page()
        await page.set_viewport_size({"width": width, "height": 900})
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        return page

    def _sign_in(self, user: str) -> str:
        body = json.dumps({"username": user, "password": user}).encode()
        request = urllib.request.Request(
            f"{self._site.url}/auth/token", data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=15) as answer:
            return str(json.load(answer)["access_token"])

    async def close_pages(self) -> None:
        """All of them; the windows stay."""
        for window in self._windows.values():
            for page in window.pages:
                await page.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def all_windows(site: Site, chrome: Browser) -> Windows:
    """Those of the session."""
    return Windows(site, chrome)


@pytest_asyncio.fixture(loop_scope="session")
async def windows(all_windows: Windows) -> AsyncIterator[Windows]:
    """No test leaves an error of JavaScript behind."""
    yield all_windows
    await all_windows.close_pages()
    assert all_windows.errors == []
