"""The names that DAG authors import, and what importing them costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_readiness

HEAVY = ("airflow", "pendulum", "asyncpg", "redis", "fastapi", "sqlalchemy")


def test_all_names_are_listed_sorted_each_once() -> None:
    assert list(airflow_readiness.__all__) == sorted(set(airflow_readiness.__all__))
    assert set(airflow_readiness.__all__) == {
        "Launch",
        "ReadySensor",
        "__version__",
        "at_least",
        "dbt",
        "dbt_sources",
        "launch",
        "readiness_dags",
        "ready",
        "source",
    }


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(airflow_readiness.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {name.name for node in block.body if isinstance(node, ast.ImportFrom) for name in node.names}
    assert seen | {"__version__"} == set(airflow_readiness.__all__)


@pytest.mark.parametrize("name", airflow_readiness.__all__)
def test_every_name_is_there_and_has_a_docstring(name: str) -> None:
    value = getattr(airflow_readiness, name)
    if name != "__version__":
        assert value.__name__ == name
        assert value.__doc__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'airflow_readiness' has no attribute 'nothing'"):
        airflow_readiness.nothing  # noqa: B018


@pytest.mark.parametrize("module", ["airflow_readiness", "airflow_readiness.provider"])
def test_discovery_imports_nothing_heavy(module: str) -> None:
    script = (
        f"import sys, {module} as module; getattr(module, 'get_provider_info', dict)();"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "airflow_readiness" in found
    assert not set(HEAVY) & set(found)
