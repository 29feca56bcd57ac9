"""What is in force, what a file of settings changes of it, and how it is applied: all of it, or nothing."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from airflow_readiness.core.names import split_source
from airflow_readiness.core.settings import SourceSettings, calendar_text
from airflow_readiness.errors import Refused
from airflow_readiness.operating.settings_file import SettingsFile
from airflow_readiness.store.store import Row, Store

Kind: TypeAlias = Literal["add", "change", "adopt", "retire"]

#: The seven but the name; and the named ones beside them.
SEVEN: Final = ("deadline", "read_from", "log_count")
OPTIONS: Final = ("on_late", "on_deadline", "calendar", "owner", "description")


@dataclass(frozen=True, slots=True)
class InForce:
    """What is in force for a source."""

    settings: SourceSettings
    #: false: the seven were never set, or are retired; the deadline is the deployment's
    configured: bool
    #: whose file has set it; none: somebody by SQL or by hand
    scope: str | None
    since: dt.datetime
    set_by: str


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one source."""

    kind: Kind
    source: str
    #: field → (before, after), as text; those that differ
    fields: Mapping[str, tuple[str, str]]
    #: none: it is retired
    after: SourceSettings | None = None


def texts(settings: SourceSettings) -> dict[str, str]:
    """The fields as a file would write them; what is not set is empty."""
    return {
        "deadline": f"{settings.deadline:%H:%M}",
        "read_from": f"{settings.read_from:%H:%M}" if settings.read_from is not None else "",
        "log_count": str(settings.log_count),
        "on_late": settings.on_late,
        "on_deadline": settings.on_deadline,
        "calendar": calendar_text(settings.calendar),
        "owner": settings.owner,
        "description": settings.description,
    }


def of_row(row: Row) -> InForce:
    """A row of ``settings_in_force``."""
    settings = SourceSettings(
        source=row["source"],
        deadline=row["deadline"],
        read_from=row["read_from"],
        log_count=row["log_count"],
        on_late=row["on_late"],
        on_deadline=row["on_deadline"],
        calendar=tuple(row["calendar"] or ()),
        owner=row["owner"] or "",
        description=row["description"] or "",
    )
    return InForce(settings, row["configured"], row["scope"], row["since"], row["set_by"])


async def in_force(store: Store, source: str | None = None) -> dict[str, InForce]:
    """The settings in force, by source: of one, or of all."""
    return {row["source"]: of_row(row) for row in await store.fetch("settings_in_force", source)}


def changes(wanted: SettingsFile, now: Mapping[str, InForce]) -> list[Change]:
    """What applying a file changes, sorted by source.

    :raises Refused: if a source of the file is another file's
    """
    found = []
    for name, settings in wanted.sources.items():
        before = now.get(name)
        if before and before.scope not in (None, wanted.scope):
            raise Refused(
                f"{name} is set by scope {before.scope!r}, not by {wanted.scope!r}: keep it in one of the two "
                "files, and apply first the one that gives it up; nothing was changed"
            )
        if before is None or not before.configured:
            fields = {field: ("", text) for field, text in texts(settings).items() if text}
            found.append(Change("add", name, fields, settings))
            continue
        was, then = texts(before.settings), texts(settings)
        fields = {field: (was[field], text) for field, text in then.items() if was[field] != text}
        if fields or before.scope is None:
            found.append(Change("change" if fields else "adopt", name, fields, settings))
    for name, before in now.items():
        if before.scope == wanted.scope and name not in wanted.sources:
            gone = {field: (text, "") for field, text in texts(before.settings).items() if text}
            found.append(Change("retire", name, gone))
    return sorted(found, key=lambda change: change.source)


async def apply(store: Store, wanted: SettingsFile, *, dry_run: bool = False) -> list[Change]:
    """Apply a file in one transaction; what changed, or (``dry_run``) would change.

    :raises Refused: if a source of the file is another file's; then nothing has changed
    """
    async with store.connection.transaction():
        # one file at a time: what was compared is what is changed
        await store.run("serialise_settings")
        found = changes(wanted, await in_force(store))
        if not dry_run:
            await store.run("in_scope", wanted.scope)
            for change in found:
                await _apply(store, change)
    return found


async def _apply(store: Store, change: Change) -> None:
    if change.after is None:
        await store.run("retire_source", *split_source(change.source))
        return
    # to whom it belongs stands beside the seven
    if change.kind != "change" or set(SEVEN) & change.fields.keys():
        await set_seven(store, change.after)
    default = texts(SourceSettings(change.source, change.after.deadline))
    then = texts(change.after)
    options = {name: then[name] for name in OPTIONS}
    if set(OPTIONS) & change.fields.keys() and (
        change.kind != "add" or any(default[name] != text for name, text in options.items())
    ):
        await set_options(store, change.source, options)


async def set_seven(store: Store, settings: SourceSettings) -> None:
    """The seven settings of a source, from now on."""
    begin = settings.read_from
    await store.run(
        "set_log_settings",
        *split_source(settings.source),
        *(settings.deadline.hour, settings.deadline.minute),
        *((begin.hour, begin.minute) if begin is not None else (None, None)),
        settings.log_count,
    )


async def set_options(store: Store, source: str, options: Mapping[str, str | None]) -> None:
    """These of the named settings of a source, from now on; the others stay as they are."""
    await store.run("set_source_options", *split_source(source), *(options.get(name) for name in OPTIONS))


async def set_by_hand(store: Store, source: str, given: Mapping[str, str | None]) -> Change:
    """Change what is given of one source, and nothing else of it.

    :param given: field → text, none: as it is; what belongs to the seven was checked by the caller
    :raises Refused: if nothing is given, or the seven are to be set without a deadline
    """
    split_source(source)
    named = {name: text for name, text in given.items() if text is not None}
    async with store.connection.transaction():
        await store.run("serialise_settings")
        now = (await in_force(store, source)).get(source)
        was = texts(now.settings) if now else dict.fromkeys((*SEVEN, *OPTIONS), "")
        fields = {name: (was[name], text) for name, text in named.items() if was[name] != text}
        if not fields:
            raise Refused(f"nothing of {source} would change: see airflow readiness settings show {source}")
        after = _with(now.settings if now and now.configured else None, source, named)
        if set(SEVEN) & fields.keys():
            if after is None:
                raise Refused(
                    f"{source} has no settings yet: give it a --deadline, at which flows start without it"
                )
            await set_seven(store, after)
        if options := {name: text for name, text in fields.items() if name in OPTIONS}:
            await set_options(store, source, {name: text for name, (_, text) in options.items()})
    return Change("change" if now else "add", source, fields, after)


def _with(now: SourceSettings | None, source: str, named: Mapping[str, str]) -> SourceSettings | None:
    """The seven as they will be; none without a deadline."""
    if now is None and "deadline" not in named:
        return None
    settings = now or SourceSettings(source, dt.time.fromisoformat(named["deadline"]))
    clocks = {
        name: dt.time.fromisoformat(named[name]) if named[name] else None
        for name in ("deadline", "read_from")
        if name in named
    }
    count = int(named.get("log_count", settings.log_count))
    return dataclasses.replace(settings, **clocks, log_count=count)  # type: ignore[arg-type]
