"""A row of the bench is the same after it was written, and one that misses its mark says so."""

from __future__ import annotations

import json
import math

from tests.bench.readme import markdown
from tests.bench.rows import Row, from_json, to_json


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
