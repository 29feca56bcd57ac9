"""A line of the bench's table: its ratio, whether it was reached, and that a miss is shown."""

from __future__ import annotations

import io
import json
import math

import pytest
from rich.console import Console

from tests.bench.rows import Row, table, to_json


def shown(*rows: Row) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(table(rows, "bench"))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    ("row", "ratio", "reached"),
    [
        (Row("slower", 3.0, "s", "other", 1.0, 2), 3.0, False),
        (Row("fast enough", 2.0, "s", "other", 1.0, 2), 2.0, True),
        (Row("more is better", 80, "rows/s", "plain", 100, 0.7, more=True), 0.8, True),
        (Row("too little", 60, "rows/s", "plain", 100, 0.7, more=True), 0.6, False),
        (Row("a bound", 5, "ms", "", 0, 4, by_ratio=False), math.nan, False),
        (Row("a bound beside", 3, "ms", "other", 1, 4, by_ratio=False), 3.0, True),
    ],
)
def test_the_ratio_is_ours_to_theirs_and_the_reach_is_of_it_unless_said(
    row: Row, ratio: float, reached: bool
) -> None:
    assert row.ratio == pytest.approx(ratio, nan_ok=True)
    assert row.reached is reached
    assert row.result == ("reached" if reached else "missed")
    assert row.result in shown(row)


def test_what_has_no_figure_is_missed() -> None:
    assert Row("nothing beside it was measured", 3.0, "s", "other", 0, 2).result == "missed"
    assert Row("nothing was measured", math.nan, "s", "", 0, 2, by_ratio=False).result == "missed"


def test_of_many_each_miss_is_shown() -> None:
    rows = [Row(f"row {number}", number, "s", "one", 1, 2) for number in range(1, 5)]
    lines = shown(*rows).splitlines()
    assert [next(line for line in lines if row.work in line).count("missed") for row in rows] == [0, 0, 1, 1]


def test_what_is_only_told_is_neither_reached_nor_missed() -> None:
    row = Row("so much", 1.5, "s", "other", 3.0)
    assert row.ratio == 0.5
    assert row.result == row.wanted == ""
    assert "missed" not in shown(row)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.00034567, "s", "346 µs"),
        (0.0123, "s", "12.3 ms"),
        (61.23, "s", "61.2 s"),
        (0.35, "ms", "350 µs"),
        (1200, "ms", "1.2 s"),
        (2048, "B", "2 KiB"),
        (0.9999, "s", "1 s"),
        (0, "s", "0 s"),
        (12345.6, "rows/s", "12\u202f346 rows/s"),
        (0.163, "/s", "0.163 /s"),
        (2, "", "2"),
    ],
)
def test_a_figure_is_written_in_a_unit_that_it_is_short_in(value: float, unit: str, text: str) -> None:
    assert Row("", value, unit).written(value) == text.replace(" ", "\u00a0")


def test_the_reach_stands_beside_its_figure() -> None:
    assert Row("", 1, "s", "other", 1, 1.3).wanted == "≤ 1.3 ×"
    assert Row("", 1, "s", "", 0, 0.005, by_ratio=False).wanted == "≤ 5\u00a0ms"
    assert Row("", 1, "rows/s", "other", 1, 0.7, more=True).wanted == "≥ 0.7 ×"


def test_notes_stand_below_the_table_each_once() -> None:
    text = shown(Row("first", 1, "s", note="how"), Row("second", 1, "s", note="how"), Row("third", 1, "s"))
    assert "first [1]" in text
    assert "second [1]" in text
    assert text.count("[1] how") == 1


def test_bench_json_holds_the_ratio_and_nothing_that_is_not_json() -> None:
    rows = [Row("beside", 3, "s", "other", 2, 2), Row("alone", 1, "s")]
    first, second = json.loads(json.dumps(to_json(rows), allow_nan=False))
    assert (first["ratio"], first["reached"]) == (1.5, True)
    assert (second["ratio"], second["reach"], second["reached"]) == (None, None, None)
