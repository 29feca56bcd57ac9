"""What Airflow loads: the partition mapper everywhere, the registrar in the API server."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

from airflow_readiness.mapper import SilentMapper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI


class ReadinessPlugin(AirflowPlugin):
    """The plugin; registered through the entry point ``airflow.plugins`` and nowhere else."""

    name = "readiness"
    partition_mappers = [SilentMapper]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Built where it is asked for, in the API server."""
        return [{"app": _app(), "url_prefix": "/readiness", "name": "readiness"}]


def _app() -> FastAPI:
    from contextlib import asynccontextmanager

    from fastapi import FastAPI

    from airflow_readiness.registrar import registrar

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with registrar():
            yield

    # no route of its own: Airflow does not authenticate a plugin's app
    return FastAPI(title="readiness", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
