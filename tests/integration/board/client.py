"""A browser, as far as the board's API is concerned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

#: What the board's page sends with a change.
OURS = {"X-Requested-With": "readiness", "Sec-Fetch-Site": "same-origin"}


@dataclass(frozen=True)
class Client:
    """One user's."""

    browser: httpx.AsyncClient
    cookies: Mapping[str, str]

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any request below ``/readiness``."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {**({"Cookie": cookie} if cookie else {}), **options.pop("headers", {})}
        return await self.browser.request(method, f"/readiness/{path}", headers=headers, **options)

    async def get(self, path: str) -> Any:
        """The JSON of ``api/…``, which must be there."""
        answer = await self.ask("GET", f"api/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def status(self, path: str) -> int:
        """The status of ``api/…``; one that is refused says why, in a sentence."""
        answer = await self.ask("GET", f"api/{path}")
        assert answer.status_code == 200 or set(answer.json()) == {"detail"}
        return answer.status_code

    async def do(self, path: str, **body: Any) -> httpx.Response:
        """A change, as the page asks for it."""
        return await self.ask("POST", f"api/{path}", headers=OURS, json=body)
