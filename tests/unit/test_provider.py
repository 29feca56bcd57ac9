"""What Airflow discovers of the package."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import airflow
import jsonschema
import pytest

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


def test_the_app_of_the_plugin_has_no_route_that_a_stranger_could_ask(plugin_class: type) -> None:
    (app,) = plugin_class().fastapi_apps
    assert app["url_prefix"] == "/readiness"
    assert app["app"].routes == []


def test_the_distribution_has_the_version_of_the_package() -> None:
    (found,) = _entry_points("apache_airflow_provider")
    assert found.dist is not None
    assert found.dist.name == "airflow-readiness"
    assert found.dist.version == airflow_readiness.__version__
