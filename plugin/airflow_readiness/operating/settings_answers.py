"""``airflow readiness settings``: what is in force, what was, and what a file changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from airflow_readiness.core.names import split_source
from airflow_readiness.core.settings import calendar_text
from airflow_readiness.errors import Refused
from airflow_readiness.operating.settings_changes import (
    OPTIONS,
    SEVEN,
    Change,
    InForce,
    in_force,
    set_by_hand,
    texts,
)
from airflow_readiness.operating.show import Grid
from airflow_readiness.store.store import Row, Store

_FIELDS: Final = (*SEVEN, *OPTIONS)
_VERB: Final = {
    "add": ("added", "would be added"),
    "change": ("changed", "would change"),
    "adopt": ("is this file's from now on", "would be this file's from then on"),
    "retire": ("retired", "would be retired"),
}
_COLOUR: Final = {"add": "green", "change": "yellow", "adopt": "cyan", "retire": "red"}


@dataclass(frozen=True, slots=True)
class Shown:
    """The settings in force."""

    sources: Sequence[InForce]
    exit_code: int = 0

    def to_json(self) -> dict[str, Any]:
        """Every field as a file writes it."""
        return {
            "sources": [
                {
                    "source": each.settings.source,
                    **texts(each.settings),
                    "configured": each.configured,
                    "scope": each.scope,
                    "since": each.since.isoformat(),
                    "set_by": each.set_by,
                }
                for each in self.sources
            ]
        }

    def parts(self) -> Iterable[str | Grid]:
        """One row a source."""
        if not self.sources:
            return ["no settings are in force: every source has the deployment's defaults"]
        rows = [
            (
                each.settings.source,
                *texts(each.settings).values(),
                each.scope or "",
                f"{each.since:%Y-%m-%d %H:%M}",
                each.set_by,
            )
            for each in self.sources
        ]
        return [Grid(("source", *_FIELDS, "scope", "since (UTC)", "by"), rows)]


async def show_settings(store: Store, source: str | None) -> Shown:
    """What is in force: of one source, or of all.

    :raises Refused: if nothing is in force for that source
    """
    if source is not None:
        split_source(source)
    found = await in_force(store, source)
    if source is not None and not found:
        raise Refused(f"no settings of {source} are in force: it has the deployment's defaults")
    return Shown([found[name] for name in sorted(found)])


@dataclass(frozen=True, slots=True)
class History:
    """All versions of one source's settings, the oldest first."""

    source: str
    rows: Sequence[Row]
    exit_code: int = 0

    def to_json(self) -> dict[str, Any]:
        """``what``: ``settings`` (the seven) or ``options`` (the named ones)."""
        return {"source": self.source, "versions": [self._version(row) for row in self.rows]}

    def _version(self, row: Row) -> dict[str, Any]:
        values = dict(row) | {"calendar": calendar_text(row["calendar"] or ())}
        for name in ("valid_from", "valid_to"):
            values[name] = row[name].isoformat() if row[name] else None
        for name in ("deadline", "read_from"):
            values[name] = f"{row[name]:%H:%M}" if row[name] is not None else None
        unknown = OPTIONS if row["what"] == "settings" else SEVEN
        return {name: value for name, value in values.items() if name not in unknown}

    def parts(self) -> Iterable[str | Grid]:
        """One row a version."""
        columns = ("what", "from (UTC)", "to (UTC)", "by", "scope", "values")
        rows = []
        for version in map(self._version, self.rows):
            names = SEVEN if version["what"] == "settings" else OPTIONS
            values = ", ".join(f"{name} {version[name]}" for name in names if version[name] is not None)
            ends = [(version[name] or "in force")[:16].replace("T", " ") for name in ("valid_from", "valid_to")]
            rows.append((version["what"], *ends, version["set_by"], version["scope"] or "", values))
        return [Grid(columns, rows)]


async def history(store: Store, source: str) -> History:
    """All versions of a source's settings.

    :raises Refused: if it never had any
    """
    rows = await store.fetch("settings_history", *split_source(source))
    if not rows:
        raise Refused(f"{source} never had settings: it has the deployment's defaults")
    return History(source, rows)


@dataclass(frozen=True, slots=True)
class Changed:
    """What was changed, or would be."""

    changes: Sequence[Change]
    done: bool
    exit_code: int = 0

    def to_json(self) -> dict[str, Any]:
        """``fields``: before and after, of what differs."""
        return {
            "applied": self.done,
            "changes": [
                {
                    "source": each.source,
                    "kind": each.kind,
                    "fields": {name: {"from": old, "to": new} for name, (old, new) in each.fields.items()},
                }
                for each in self.changes
            ],
        }

    def parts(self) -> Iterable[str | Grid]:
        """One row a field; then how many sources."""
        rows, colours = [], []
        for each in self.changes:
            verb = _VERB[each.kind][not self.done]
            for name, (old, new) in each.fields.items() or [("", ("", ""))]:
                rows.append((each.source, verb, name, old, new))
                colours.append(_COLOUR[each.kind])
        table = [Grid(("source", "", "field", "before", "after"), rows, colours)] if rows else []
        number = len(self.changes)
        if not number:
            return ["nothing differs from what is in force"]
        count = f"{number} source{'' if number == 1 else 's'}"
        return [*table, f"{count}: {'applied' if self.done else 'nothing was changed'}"]


async def set_settings(store: Store, source: str, given: dict[str, str | None]) -> Changed:
    """Change what is given of one source.

    :raises Refused: if nothing would change, or it would have no deadline
    """
    return Changed([await set_by_hand(store, source, given)], done=True)
