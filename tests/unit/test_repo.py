"""What may never be committed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("file", ["constraints.txt", "constraints-dbt.txt"])
def test_constraints_hold_names_and_versions_only(file: str) -> None:
    lines = (ROOT / file).read_text().splitlines()
    assert lines == sorted(lines)
    wrong = [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", line)]
    assert not wrong


def test_neither_source_root_is_a_package() -> None:
    assert not (ROOT / "plugin" / "__init__.py").exists()
    assert not (ROOT / "triggers" / "__init__.py").exists()
