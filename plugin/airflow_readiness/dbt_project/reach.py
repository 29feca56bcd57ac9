"""Which sources the selected models read, through the models that are inside the selection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from airflow_readiness.dbt_project.manifest import Manifest, load
from airflow_readiness.dbt_project.mapping import Log, Rule, log_of
from airflow_readiness.dbt_project.selection import Selection
from airflow_readiness.errors import BadInput, BadMapping, BadSelection

#: models named in a message
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Found:
    """A source that is reached."""

    unique_id: str
    #: as dbt's users name it
    label: str
    #: names of the selected models that read it, sorted
    read_by: tuple[str, ...]
    #: its log; none if that cannot be said
    log: Log | None
    #: why not
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a selection reads."""

    #: names of the models (and snapshots, seeds) that are selected, sorted
    models: tuple[str, ...]
    #: by label
    sources: tuple[Found, ...]
    #: names of the models that these read and that are not selected: their sources are not waited for
    outside: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The logs to wait for, sorted, each once."""
        return sorted({each.log.name for each in self.sources if each.log and each.log.name})

    def problem(self, chosen: Selection) -> BadInput | None:
        """Why no flow can wait for this selection, if so."""
        for each in self.sources:
            if each.problem:
                return BadMapping(each.problem)
        return None if self.names else BadSelection(self._why_nothing(chosen))

    def _why_nothing(self, chosen: Selection) -> str:
        says = f"{chosen.text} ({_some(self.models)})"
        if self.sources:
            return (
                f"{says} reads only sources that say 'meta.readiness: false': there is nothing to wait for. "
                "Give one of them a log, or the flow another schedule"
            )
        if self.outside:
            return (
                f"{says} reads no source itself, only {_some(self.outside)} outside of the selection: if the "
                "flow builds these too, select them (a + before the name); if not, wait for who does"
            )
        return f"{says} reads no source: select models that read one, or give the flow another schedule"


def reach(path: Path, chosen: Selection, *, patience: float = 0) -> Reach:
    """What a selection reads; blocking. Each source comes with its log, or with the problem of finding it.

    :param patience: seconds to wait for somebody who is writing the manifest or the list
    :raises BadManifest: if the manifest, or the list, cannot be used
    :raises BadSelection: if nothing is selected that dbt builds, or dbt is needed to say what
    """
    manifest = load(path, patience=patience)
    ids = chosen.ids(manifest, patience=patience)
    nodes = {each: manifest.nodes[each] for each in ids if each in manifest.nodes}
    built = {each for each, node in nodes.items() if node.built}
    inlined = {each for each, node in nodes.items() if node.inlined}
    if inlined and not built:
        raise BadSelection(
            f"{chosen.text} selects only ephemeral models ({_some(_names(inlined))}), of which dbt builds "
            "nothing: select the models that read them (a + after the name)"
        )
    read_by, outside = _read(manifest, built | inlined)
    if not built:
        # the list of 'dbt ls --resource-type source' has no model that could read them
        read_by = {each: set() for each in ids if each in manifest.sources}
    if not built and not read_by:
        raise BadSelection(f"{chosen.text} selects no model: 'dbt ls' lists what there is")
    found = [_found(manifest, unique_id, readers) for unique_id, readers in read_by.items()]
    found.sort(key=lambda each: (each.label, each.unique_id))
    return Reach(_names(built), tuple(_told_apart(manifest, found)), _names(outside))


def _read(manifest: Manifest, models: set[str]) -> tuple[dict[str, set[str]], set[str]]:
    """Source → its readers among these models; and the models beyond them that are read.

    An ephemeral model is a part of the SQL of whoever reads it, selected or not: the way leads through it.
    """
    read_by: dict[str, set[str]] = defaultdict(set)
    outside: set[str] = set()
    for model in models:
        ahead, seen = list(manifest.parents(model)), set[str]()
        while ahead:
            parent = ahead.pop()
            if parent in manifest.sources:
                read_by[parent].add(model)
            elif parent in manifest.graph and parent not in models and parent not in seen:
                seen.add(parent)
                node = manifest.graph[parent]
                if node.inlined:
                    ahead += manifest.parents(parent)
                elif node.resource_type != "seed":
                    outside.add(parent)
    return read_by, outside


def _found(manifest: Manifest, unique_id: str, readers: set[str]) -> Found:
    source = manifest.sources[unique_id]
    try:
        return Found(unique_id, source.label, _names(readers), log_of(source))
    except BadMapping as error:
        return Found(unique_id, source.label, _names(readers), None, str(error))


def _told_apart(manifest: Manifest, found: list[Found]) -> Iterable[Found]:
    """The same, with a problem where tables of two databases would wait for one log, and nobody said so."""
    databases: dict[str, dict[str | None, str]] = defaultdict(dict)
    own = [each for each in found if each.log and each.log.rule is Rule.OWN]
    for each in own:
        assert each.log and each.log.name
        databases[each.log.name].setdefault(manifest.sources[each.unique_id].database, each.label)
    for each in found:
        if each in own and each.log and each.log.name and len(databases[each.log.name]) > 1:
            both = " and ".join(
                f"{label} of {base}" for base, label in sorted(databases[each.log.name].items())
            )
            problem = (
                f"the dbt sources {both} are two tables and both map to {each.log.name!r} by their "
                f"{Rule.OWN.value}: set meta.readiness of each to the name under which it logs"
            )
            yield replace(each, log=None, problem=problem)
        else:
            yield each


def _names(ids: Iterable[str]) -> tuple[str, ...]:
    """``model.project.sales_mart`` → ``sales_mart``, sorted."""
    return tuple(sorted({each.split(".", 2)[-1] for each in ids}))


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
