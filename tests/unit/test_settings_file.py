"""``settings.yaml``: what it says, and what is wrong with it, line by line."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_readiness.core.settings import SourceSettings, calendar_text, parse_calendar
from airflow_readiness.errors import BadInput, BadSettings
from airflow_readiness.operating.settings_file import read_file, read_settings

WHOLE = """\
# what the sales team releases
scope: sales
x-defaults: &defaults
  deadline: 06:30
  on_late: rerun
sources:
  hive.sales:
    <<: *defaults
    deadline: 20:15            # PyYAML would read this one as a number
    read_from: "20:00"
    log_count: 2
    on_deadline: skip
    calendar: [mon-wed, 2026-12-26]
    owner: sales@example.com
    description: >
      All of it
  hive.rates: {deadline: "07:00", read_from: ~, calendar: daily, owner: ""}
"""


def test_every_field_is_read_as_it_is_written() -> None:
    found = read_settings(WHOLE, "settings.yaml")
    assert found.scope == "sales"
    assert found.sources == {
        "hive.sales": SourceSettings(
            "hive.sales",
            dt.time(20, 15),
            dt.time(20),
            2,
            "rerun",
            "skip",
            ("mon", "tue", "wed", "2026-12-26"),
            "sales@example.com",
            "All of it",
        ),
        "hive.rates": SourceSettings("hive.rates", dt.time(7)),
    }
    assert read_settings(WHOLE.encode(), "settings.yaml") == found


def test_a_file_without_a_source_retires_all_of_its_scope_only_where_it_says_so() -> None:
    assert read_settings("scope: sales\nsources: {}", "f").sources == {}
    for text in ("scope: sales", "scope: sales\nsources:", "scope: sales\nsources: []"):
        with pytest.raises(BadSettings, match=r"to retire all of this scope, write 'sources: \{\}'"):
            read_settings(text, "f")


HEAD = "scope: sales\nsources:\n"
BAD = [
    ("", "f:1: expected 'scope:' and 'sources:'"),
    ("- a", "f:1: expected 'scope:' and 'sources:'"),
    ("a: [", "f:1: this is not YAML: "),
    ("scope: sales\nsources:\n  a.b: {deadline: '06:00'}\n }", "f:4: this is not YAML: "),
    ("scope: sales\n---\nscope: sales", "f:2: this is not YAML: "),
    ("scope: sales\nsources:\n  a.b: *nothing", "f:3: this is not YAML: found undefined alias"),
    ("scope: sales\n\x00", "f:2: this is not YAML: a character is not allowed here"),
    ("sources: {}", "f:1: 'scope:' must name what this file owns"),
    ("scope: a b\nsources: {}", "f:1: 'scope:' must name"),
    ("scope: [a]\nsources: {}", "f:1: 'scope:' must name"),
    ("scope: a\nsources: {}\nsource: {}", "f:3: unknown key 'source' in the file: did you mean 'sources'?"),
    (f"{HEAD}  sales: {{deadline: '06:00'}}", "f:3: 'sales' is not a source name"),
    (f"{HEAD}  a.b:", "f:3: a.b has no settings: write at least"),
    (f"{HEAD}  a.b: {{}}", "f:3: a.b has no deadline"),
    (f"{HEAD}  a.b:\n    owner: me", "f:4: a.b has no deadline"),
    (f"{HEAD}  a.b:\n    dead_line: '06:00'", "f:4: unknown key 'dead_line' in a.b: did you mean 'deadline'?"),
    (f"{HEAD}  a.b:\n    zzz: 1", "f:4: unknown key 'zzz' in a.b: there is deadline, read_from,"),
    (f"{HEAD}  a.b:\n    deadline: 25:00", "f:4: deadline of a.b: '25:00' is not a time of day"),
    (
        f"{HEAD}  a.b:\n    deadline: 6:30",
        "f:4: deadline of a.b: '6:30' is not a time of day: write it as HH:MM",
    ),
    (f"{HEAD}  a.b:\n    deadline: [6]", "f:4: deadline of a.b: expected one value"),
    (f"{HEAD}  a.b:\n    deadline:", "f:4: deadline of a.b: '' is not a time"),
    (
        f"{HEAD}  a.b: {{deadline: '06:00', log_count: 0}}",
        "f:3: log_count of a.b: '0' is not a number of log rows",
    ),
    (f"{HEAD}  a.b: {{deadline: '06:00', log_count: 1.5}}", "'1.5' is not a number"),
    (f"{HEAD}  a.b: {{deadline: '06:00', log_count: 9999999999999999}}", "is not a number"),
    (
        f"{HEAD}  a.b: {{deadline: '06:00', on_late: maybe}}",
        "f:3: on_late of a.b: 'maybe' is not one of ignore, rerun",
    ),
    (f"{HEAD}  a.b: {{deadline: '06:00', on_deadline: no}}", "'no' is not one of run, skip, fail"),
    (f"{HEAD}  a.b: {{deadline: '06:00', calendar: [mon, noday]}}", "calendar of a.b: 'noday' is no day"),
    (f"{HEAD}  a.b: {{deadline: '06:00', calendar: []}}", "calendar of a.b: .* names no day"),
    (
        f"{HEAD}  a.b: {{deadline: '06:00'}}\n  c.d: {{deadline: '06:00'}}\n  a.b: {{deadline: '07:00'}}",
        "f:5: 'a.b' stands here twice, first in line 3: keep one",
    ),
    (
        f"{HEAD}  a.b:\n    deadline: '06:00'\n    deadline: '07:00'",
        "f:5: 'deadline' stands here twice, first in line 4",
    ),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_what_is_wrong_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(BadSettings, match=message.replace("[", r"\[").replace("?", r"\?")):
        read_settings(text, "f")


def test_all_mistakes_are_told_at_once_in_their_order() -> None:
    text = f"{HEAD}  a.b: {{deadline: '25:00', on_late: x}}\n  c: {{}}\n"
    text += "  e.f: {deadline: '06:00', zzz: 1}\nmore: 1"
    with pytest.raises(BadSettings) as caught:
        read_settings(text, "f")
    lines = [line.split(":")[1] for line in str(caught.value).splitlines()]
    assert lines == ["3", "3", "4", "5", "6"]


def test_bytes_that_are_no_text_are_told() -> None:
    with pytest.raises(BadSettings, match="f:2: this is not UTF-8"):
        read_settings(b"scope: sales\n\xff", "f")


def test_what_is_nested_beyond_reason_is_told() -> None:
    with pytest.raises(BadSettings):
        read_settings("[" * 50_000, "f")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"nowhere\.yaml cannot be read: No such file"):
        read_file(str(tmp_path / "nowhere.yaml"))
    path = tmp_path / "settings.yaml"
    path.write_text(WHOLE)
    assert read_file(str(path)).scope == "sales"


@given(st.text() | st.binary())
def test_whatever_it_is_it_is_read_or_told(text: str | bytes) -> None:
    try:
        read_settings(text, "f")
    except BadSettings as error:
        assert all(line.startswith("f:") for line in str(error).splitlines() if line)


words = st.sampled_from(
    ["scope", "sources", "a.b", "deadline", "06:00", "calendar", "mon", "<<", "*x", "&x", "~"]
)
pieces = st.lists(
    words | st.sampled_from([": ", ":\n  ", "\n", "\n  ", "\n    ", "- ", "[", "]", "{", "}", ", "])
)


@given(pieces.map("".join))
def test_whatever_is_put_together_of_its_parts_is_read_or_told(text: str) -> None:
    try:
        read_settings(text, "f")
    except BadSettings as error:
        assert str(error).startswith("f:")


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("daily", ()),
        ("mon-fri", ("mon", "tue", "wed", "thu", "fri")),
        ("Fri-Mon", ("mon", "fri", "sat", "sun")),
        ("2026-12-26, sun 2026-01-01", ("sun", "2026-01-01", "2026-12-26")),
        ("mon, mon-mon", ("mon",)),
    ],
)
def test_a_calendar_has_one_form_that_reads_back(text: str, days: tuple[str, ...]) -> None:
    assert parse_calendar(text) == days
    assert parse_calendar(calendar_text(days)) == days


@pytest.mark.parametrize("text", ["", " ", "monday", "mon-", "2026-02-30", "daily, mon", "2026-1-1", "mon_fri"])
def test_a_calendar_that_cannot_be_is_told(text: str) -> None:
    with pytest.raises(BadInput, match=r"(no day of a calendar|names no day)"):
        parse_calendar(text)
