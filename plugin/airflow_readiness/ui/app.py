"""The app that Airflow mounts at ``/readiness``: every route authenticated, no documentation of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from airflow_readiness.ui import actions, routes
from airflow_readiness.ui.board import Board
from airflow_readiness.ui.body import Guarded
from airflow_readiness.ui.version import STATIC

if TYPE_CHECKING:
    from collections.abc import Callable


def build_app(beside: Callable[[], AbstractAsyncContextManager[None]]) -> FastAPI:
    """The app.

    :param beside: what is at work as long as the app is; neither may raise, that would end the API server
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with beside():
            try:
                yield
            finally:
                await app.state.board.close()

    # what describes the routes would be open to everybody
    app = FastAPI(title="readiness", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    # connects to nothing until somebody looks
    app.state.board = Board()
    app.include_router(routes.router)
    app.include_router(actions.router)
    # code only, for everybody
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(Guarded)
    return app
