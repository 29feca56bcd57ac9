"""Airflow at a home of its own, without a database; no server, no option from outside."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

import pytest
from hypothesis import settings

_HOME = tempfile.mkdtemp(prefix="airflow-readiness-unit-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
# before anything here imports Airflow, which reads them once
os.environ["AIRFLOW_HOME"] = _HOME
os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = "sqlite://"

# the first example of a test pays for the imports: a deadline would tell of that alone
settings.register_profile("unit", deadline=None, max_examples=60, derandomize="CI" in os.environ)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def no_options_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The options of ``[readiness]`` are the defaults, unless a test sets them."""
    for name in [name for name in os.environ if name.startswith("AIRFLOW__READINESS__")]:
        monkeypatch.delenv(name)
