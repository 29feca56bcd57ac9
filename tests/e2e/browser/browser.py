"""Debian's Chromium, driven by Playwright; nothing is downloaded."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from typing import Any, Final, Literal

from playwright.async_api import Browser, BrowserContext, async_playwright

Theme = Literal["light", "dark"]

INSTALL: Final = "no Chromium here: apt-get install chromium, or name one in $CHROMIUM"


def chromium() -> str | None:
    """Its path, if there is one."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A browser, ended at the end."""
    path = chromium()
    assert path, INSTALL
    async with async_playwright() as playwright:
        # its sandbox does not run as root, and it sees our own pages only
        found = await playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--lang=en-GB"]
        )
        try:
            yield found
        finally:
            await found.close()


async def context(found: Browser, *, theme: Theme = "light", width: int = 1280, **more: Any) -> BrowserContext:
    """A window of its own, without cookies."""
    return await found.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, locale="en-GB", **more
    )
