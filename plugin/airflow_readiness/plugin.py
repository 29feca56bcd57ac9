"""What Airflow loads: the partition mapper everywhere, the registrar and the board in the API server."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

from airflow_readiness.core.names import BOARD_ROUTE
from airflow_readiness.mapper import SilentMapper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

log = logging.getLogger(__name__)

#: The component in the browser: one name, as one module is run once for all places that show it.
_COMPONENT = "Readiness"


class ReadinessPlugin(AirflowPlugin):
    """The plugin; registered through the entry point ``airflow.plugins`` and nowhere else."""

    name = "readiness"
    partition_mappers = [SilentMapper]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Built where it is asked for, in the API server."""
        return [{"app": _app(), "url_prefix": "/readiness", "name": "readiness"}]

    @cached_property
    def react_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The page *Readiness* of the navigation, and the tab of every DAG."""
        from airflow_readiness.ui.version import static_version

        # relative: Airflow may lie under a path of its own
        bundle = {"name": _COMPONENT, "bundle_url": f"readiness/static/board.js?v={static_version()}"}
        return [
            {**bundle, "destination": "nav", "url_route": BOARD_ROUTE, "nav_top_level": True},
            {**bundle, "destination": "dag", "url_route": f"{BOARD_ROUTE}-dag"},
        ]


def _app() -> FastAPI:
    from airflow_readiness.registrar import registrar

    try:
        from airflow_readiness.ui.app import build_app

        return build_app(registrar)
    except Exception:
        # it stands on what Airflow keeps to itself; flows are launched without it
        log.exception("the board cannot be built with this Airflow; flows are launched all the same")
    from fastapi import FastAPI

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with registrar():
            yield

    return FastAPI(title="readiness", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
