"""``settings.yaml``: the settings of the sources of one team or repository, checked line by line.

.. code-block:: yaml

    scope: sales                  # what this file owns: a source that is removed here is retired
    sources:
      hive.sales:
        deadline: "06:30"
        read_from: "20:00"        # the evening before, since it is later than the deadline
        log_count: 2
        calendar: mon-fri
        on_deadline: skip
        owner: sales@example.com
"""

from __future__ import annotations

import datetime as dt
import difflib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from airflow_readiness.core.dates import parse_clock
from airflow_readiness.core.names import PART, split_source
from airflow_readiness.core.settings import ON_DEADLINE, ON_LATE, SourceSettings, parse_calendar
from airflow_readiness.errors import BadInput, BadSettings

_NULL: Final = "tag:yaml.org,2002:null"
_MERGE: Final = "tag:yaml.org,2002:merge"
#: Beyond this a number of log rows is none for Postgres.
_MAX_COUNT: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What a file says: the settings of its sources, by name."""

    scope: str
    sources: dict[str, SourceSettings] = field(default_factory=dict)


def read_settings(text: str | bytes, name: str) -> SettingsFile:
    """The settings that a YAML document gives.

    :param name: of the file, for the messages
    :raises BadSettings: with one line for everything that is wrong: ``name:line: what, and what to write``
    """
    reader = _Reader(name)
    found, decoded = SettingsFile(""), ""
    try:
        decoded = text if isinstance(text, str) else text.decode()
        found = reader.file(decoded)
    except UnicodeDecodeError as error:
        reader.tell(error.object[: error.start].count(b"\n"), "this is not UTF-8: write it in UTF-8")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reader.tell(mark.line if mark else 0, f"this is not YAML: {error.problem or error.context}")
    except yaml.reader.ReaderError as error:
        reader.tell(decoded[: error.position].count("\n"), "this is not YAML: a character is not allowed here")
    except RecursionError:
        reader.tell(0, "this is nested beyond reason")
    if reader.problems:
        raise BadSettings("\n".join(each for _, each in sorted(reader.problems)))
    return found


def read_file(path: str) -> SettingsFile:
    """The settings of a file; ``-`` is the standard input.

    :raises BadSettings: if it cannot be read, or has mistakes
    """
    try:
        content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise BadSettings(f"{path} cannot be read: {error.strerror or error}") from error
    return read_settings(content, "standard input" if path == "-" else path)


class _Reader:
    """Goes over the nodes, and collects what is wrong instead of ending at the first."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._merge = yaml.SafeLoader("")
        self.problems: list[tuple[int, str]] = []

    def tell(self, line: int, what: str) -> None:
        self.problems.append((line, f"{self._name}:{line + 1}: {what}"))

    def file(self, text: str) -> SettingsFile:
        """What the document says, as far as it can be read."""
        root = yaml.compose(text, yaml.SafeLoader)
        if not isinstance(root, yaml.MappingNode):
            self.tell(root.start_mark.line if root else 0, "expected 'scope:' and 'sources:'")
            return SettingsFile("")
        values = dict(self._items(root, "the file", ("scope", "sources"), ignore="x-"))
        scope = self._scope(root, values.get("scope"))
        sources = values.get("sources")
        if not isinstance(sources, yaml.MappingNode):
            self.tell(
                (sources or root).start_mark.line,
                "'sources:' is missing or empty: name the sources below it; to retire all of this scope, "
                "write 'sources: {}'",
            )
            return SettingsFile(scope)
        found = {name: self._source(name, node) for name, node in self._items(sources, "sources")}
        return SettingsFile(scope, {name: each for name, each in found.items() if each})

    def _scope(self, root: yaml.Node, node: yaml.Node | None) -> str:
        scope = node.value if isinstance(node, yaml.ScalarNode) else ""
        if not PART.fullmatch(scope):
            self.tell(
                (node or root).start_mark.line,
                "'scope:' must name what this file owns, as 'scope: sales': letters, digits, '_', '-' or '$'. "
                "A source that is removed from the file is retired if this scope has set it",
            )
        return scope

    def _items(
        self, node: yaml.MappingNode, what: str, known: tuple[str, ...] | None = None, ignore: str = ""
    ) -> Iterator[tuple[str, yaml.Node]]:
        """The entries of a mapping: own ones only once, those of ``<<`` behind them, no unknown ones."""
        first: dict[str, int] = {}
        for key, _ in node.value:
            if key.tag == _MERGE:
                continue
            text, line = str(key.value), key.start_mark.line
            if text in first:
                self.tell(line, f"{text!r} stands here twice, first in line {first[text] + 1}: keep one")
            first.setdefault(text, line)
        self._merge.flatten_mapping(node)
        # those of << come first: own ones win
        for key, value in {str(key.value): (key, value) for key, value in node.value}.values():
            text = str(key.value)
            if known is not None and text not in known:
                if not (ignore and text.startswith(ignore)):
                    near = difflib.get_close_matches(text, known, 1)
                    hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known)}"
                    self.tell(key.start_mark.line, f"unknown key {text!r} in {what}: {hint}")
                continue
            yield text, value

    def _source(self, name: str, node: yaml.Node) -> SourceSettings | None:
        before = len(self.problems)
        try:
            split_source(name)
        except BadInput as error:
            self.tell(node.start_mark.line, str(error))
        if not isinstance(node, yaml.MappingNode):
            self.tell(
                node.start_mark.line, f"{name} has no settings: write at least 'deadline: \"06:30\"' below it"
            )
            return None
        values: dict[str, Any] = {}
        for key, value in self._items(node, name, tuple(_READ)):
            try:
                values[key] = _READ[key](value)
            except BadInput as error:
                self.tell(value.start_mark.line, f"{key} of {name}: {error}")
        if "deadline" not in values and len(self.problems) == before:
            self.tell(
                node.start_mark.line, f"{name} has no deadline: give the time at which flows start without it"
            )
        return SourceSettings(name, **values) if len(self.problems) == before else None


def _text(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise BadInput("expected one value, not a list or a mapping")
    return "" if node.tag == _NULL else str(node.value).strip()


def _clock(node: yaml.Node) -> dt.time:
    return parse_clock(_text(node))


def _clock_or_none(node: yaml.Node) -> dt.time | None:
    return parse_clock(text) if (text := _text(node)) else None


def _count(node: yaml.Node) -> int:
    text = _text(node)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:11]) <= _MAX_COUNT):
        raise BadInput(f"{text!r} is not a number of log rows: write a whole number from 1 on")
    return int(text)


def _one_of(choices: tuple[str, ...]) -> Callable[[yaml.Node], str]:
    def read(node: yaml.Node) -> str:
        text = _text(node)
        if text not in choices:
            raise BadInput(f"{text!r} is not one of {', '.join(choices)}")
        return text

    return read


def _calendar(node: yaml.Node) -> tuple[str, ...]:
    if isinstance(node, yaml.SequenceNode):
        return parse_calendar([_text(each) for each in node.value])
    return parse_calendar(_text(node))


_READ: Final[dict[str, Callable[[yaml.Node], Any]]] = {
    "deadline": _clock,
    "read_from": _clock_or_none,
    "log_count": _count,
    "on_late": _one_of(ON_LATE),
    "on_deadline": _one_of(ON_DEADLINE),
    "calendar": _calendar,
    "owner": _text,
    "description": _text,
}
