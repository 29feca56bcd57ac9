"""Airflow's API server with the board in it, in a process of its own, asked without a network between."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from airflow.api_fastapi.app import create_app
from fastapi import FastAPI
from starlette.routing import Mount

from airflow_readiness.demo.servers import Postgres
from airflow_readiness.ui import board, pool
from tests.bench import child
from tests.board_history import our_side, their_side
from tests.integration.board.airflow_app import environment, metadata, options, token

OURS, THEIRS = "board_ours", "board_theirs"


class Server:
    """Asked by the parent."""

    def __init__(self, server: Postgres, folder: Path, stack: ExitStack) -> None:
        self._server = server
        self._folder = folder
        self._stack = stack
        self._app = FastAPI()

    async def fill(self, sources: int, flows: int, days: int) -> float:
        """Both sides, after so many days; the seconds that it took."""
        began = time.monotonic()
        admin = await asyncpg.connect(**self._server.dsn("postgres"))
        for name in (OURS, THEIRS):
            await admin.execute(f"create database {name}")
        await admin.close()
        await our_side(dict(self._server.dsn(OURS)), sources, flows, days, 1)
        address = {
            "conn_type": "postgres",
            "host": self._server.host,
            "login": self._server.user,
            "schema": OURS,
        }
        variables = {
            **options(self._folder),
            "AIRFLOW_CONN_READINESS_POSTGRES": json.dumps(address),
            # nobody listens there: the health says so, and nobody waits for it
            "AIRFLOW_CONN_READINESS_REDIS": json.dumps({"conn_type": "redis", "host": "127.0.0.1", "port": 9}),
        }
        self._stack.enter_context(environment(variables))
        self._stack.enter_context(metadata(self._server, THEIRS))
        connection = await asyncpg.connect(**self._server.dsn(THEIRS))
        await their_side(connection, await connection.fetchval("select current_date"), sources, flows, days)
        await connection.close()
        self._app = create_app(apps="core")
        return time.monotonic() - began

    async def answers(self, paths: list[str], times: int) -> dict[str, Any]:
        """Seconds of each answer, in turn and nobody else asking, and its bytes before they are compressed."""
        # each is asked for itself
        pool.SHARED = 0  # type: ignore[misc]
        found: dict[str, Any] = {path: {"seconds": [], "bytes": 0} for path in paths}
        (mount,) = [each for each in self._app.routes if isinstance(each, Mount) and each.path == "/readiness"]
        owner = mount.app.state.board = board.Board()  # type: ignore[attr-defined]
        headers = {"Cookie": f"_token={token('anna')}", "Accept-Encoding": "identity"}
        transport = httpx.ASGITransport(app=self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://bench", headers=headers) as browser:
            for turn in range(times + 1):
                for path in paths:
                    began = time.perf_counter()
                    answer = await browser.get(f"/readiness/api/{path}")
                    if answer.status_code != 200 or answer.json().get("stale"):
                        raise RuntimeError(f"{path} is answered by {answer.status_code}: {answer.text[:300]}")
                    # the first pays for what is opened
                    if turn:
                        found[path]["seconds"].append(time.perf_counter() - began)
                    found[path]["bytes"] = len(answer.content)
        await owner.close()
        return found


def main() -> None:
    """Serve until the input ends."""
    # Airflow logs to where the answers go
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    host, user, folder = sys.argv[1:]
    with ExitStack() as stack:
        server = Server(Postgres(host, user, 0, Path(folder)), Path(folder), stack)
        asyncio.run(child.serve(server, answers))


if __name__ == "__main__":
    main()
