"""How the tests are shared out between processes (``pytest --numprocesses 2 --dist loadgroup``)."""

from __future__ import annotations

from pathlib import Path

import pytest

E2E = Path(__file__).parent / "e2e"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The end-to-end tests share one Airflow and go to one process; of the others each file to one."""
    for item in items:
        group = "e2e" if E2E in item.path.parents else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
