"""What Airflow discovers of the package."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import airflow
import jsonschema
import pytest
from fastapi import FastAPI

import airflow_readiness
from airflow_readiness.mapper import SilentMapper
from airflow_readiness.options import OPTIONS
from airflow_readiness.provider import get_provider_info


def _entry_points(group: str) -> list[EntryPoint]:
    return [each for each in entry_points(group=group) if each.value.startswith("airflow_readiness")]


def test_the_metadata_is_as_airflow_wants_it() -> None:
    schema = Path(airflow.__path__[0], "provider_info.schema.json")
    jsonschema.validate(get_provider_info(), json.loads(schema.read_text()))


def test_every_option_that_is_read_is_described() -> None:
    options = get_provider_info()["config"]["readiness"]["options"]
    assert {name: each["default"] for name, each in options.items()} == {
        name: default for name, (default, _) in OPTIONS.items()
    }
    assert all(each["description"] for each in options.values())


def test_every_module_that_the_metadata_names_is_there() -> None:
    info = get_provider_info()
    for kind in ("sensors", "triggers"):
        for module in info[kind][0]["python-modules"]:
            assert import_module(module)


def test_the_commands_that_the_metadata_names_are_there() -> None:
    (path,) = get_provider_info()["cli"]
    module, _, function = path.rpartition(".")
    (group,) = getattr(import_module(module), function)()
    assert group.name == "readiness"


def test_the_provider_is_found_by_its_entry_point() -> None:
    (found,) = _entry_points("apache_airflow_provider")
    assert found.name == "provider_info"
    assert found.load() is get_provider_info


@pytest.fixture
def plugin_class() -> type:
    (found,) = _entry_points("airflow.plugins")
    assert found.name == "readiness"
    loaded = found.load()
    assert isinstance(loaded, type)
    return loaded


def test_the_plugin_is_found_once_with_its_mapper(plugin_class: type) -> None:
    plugin = plugin_class()
    assert plugin.name == "readiness"
    assert plugin.partition_mappers == [SilentMapper]


def test_the_app_of_the_plugin_describes_itself_to_nobody(plugin_class: type) -> None:
    # who may ask which of its routes: tests/integration/board/test_strangers.py
    (app,) = plugin_class().fastapi_apps
    assert app["url_prefix"] == "/readiness"
    paths = {route.path for route in app["app"].routes}
    assert "/api/today" in paths
    assert not paths & {"/openapi.json", "/docs", "/redoc"}


def test_without_the_board_the_app_still_has_the_registrar(
    plugin_class: type, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    at_work = []

    @asynccontextmanager
    async def registrar() -> AsyncIterator[None]:
        at_work.append(True)
        yield

    async def live(app: FastAPI) -> None:
        async with app.router.lifespan_context(app):
            pass

    monkeypatch.setattr("airflow_readiness.registrar.registrar", registrar)
    # as if Airflow had moved what the board stands on
    monkeypatch.setitem(sys.modules, "airflow_readiness.ui.app", None)
    (app,) = plugin_class().fastapi_apps
    assert app["app"].routes == []
    assert "the board cannot be built" in caplog.text
    asyncio.run(live(app["app"]))
    assert at_work == [True]


def test_the_board_is_one_module_at_two_places_and_relative(plugin_class: type) -> None:
    nav, tab = plugin_class().react_apps
    assert (nav["destination"], tab["destination"]) == ("nav", "dag")
    assert nav["nav_top_level"] is True
    # a module is run once: under another name it would not be found
    assert nav["name"] == tab["name"]
    assert nav["url_route"] != tab["url_route"]
    assert nav["bundle_url"] == tab["bundle_url"]
    assert re.fullmatch(r"readiness/static/board\.js\?v=[0-9a-f]{12}", nav["bundle_url"])


def test_the_distribution_has_the_version_of_the_package() -> None:
    (found,) = _entry_points("apache_airflow_provider")
    assert found.dist is not None
    assert found.dist.name == "airflow-readiness"
    assert found.dist.version == airflow_readiness.__version__
