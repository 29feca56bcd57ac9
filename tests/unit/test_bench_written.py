"""A row of the bench is the same after it was written, and one that misses its mark says so."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.bench.__main__ import write
from tests.bench.readme import markdown
from tests.bench.rows import Row, from_json, to_json

ROOT = Path(__file__).parents[2]


def test_a_row_is_the_same_after_it_was_written() -> None:
    rows = [
        Row("a", 1.0, "s", "b", 2.0, 0.4, note="n"),
        Row("a", math.inf, "s"),
        Row("a", 3.0, "rows/s", "b", 4.0, 0.7, more=True),
    ]
    assert [from_json(row) for row in json.loads(json.dumps(to_json(rows)))] == rows


def test_a_row_that_misses_its_mark_says_so() -> None:
    found = {
        "rows": to_json([Row("slow", 3.0, "s", "peer", 1.0, 2), Row("fast", 1.0, "s", "peer", 1.0, 2)]),
        "machine": {"date": "", "cores": 2, "processor": "", "memory_gib": 1, "airflow": "", "python": ""},
        "seconds": {"all": 60},
        "timeline": {},
    }
    lines = markdown(found).splitlines()
    assert "| slow | 3\u00a0s | peer | 1\u00a0s | 3.00 | ≤ 2 × | **missed** |" in lines
    assert "| fast | 1\u00a0s | peer | 1\u00a0s | 1.00 | ≤ 2 × | reached |" in lines


def test_the_readme_has_the_table_that_was_measured() -> None:
    found = json.loads((ROOT / "docs" / "bench.json").read_text())
    assert not found["quick"] and not found["full"]
    assert markdown(found) in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", ["latency", "waiting"])
def test_the_readme_shows_a_picture_of_what_was_measured(name: str, tmp_path: Path) -> None:
    write(tmp_path, json.loads((ROOT / "docs" / "bench.json").read_text()))
    drawn = (tmp_path / "docs" / f"{name}.svg").read_text()
    assert f"docs/{name}.svg" in (ROOT / "README.md").read_text()
    assert drawn.count("<text") == (ROOT / "docs" / f"{name}.svg").read_text().count("<text") > 0
