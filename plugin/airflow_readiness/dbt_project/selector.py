"""Which nodes are selected: by a list that dbt made, or, if it is plain, by the manifest itself.

dbt's selection has some twenty methods, and two implementations (Python, Rust) that offer no interface for
it but ``dbt ls``. A DAG processor often has no dbt, and dbt takes seconds to start. So what goes beyond names,
tags and ``+`` is left to ``dbt ls``, whose output is a file; a test compares the rest with dbt's own answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from airflow_readiness.dbt_project.listing import BY_DBT
from airflow_readiness.dbt_project.manifest import Manifest, Node
from airflow_readiness.errors import BadSelection

_PLAIN: Final = re.compile(r"(?P<up>\+)?(?P<tag>tag:)?(?P<name>[\w.$-]+)(?P<down>\+)?")
#: dbt takes these for files, not for names
_FILES: Final = (".sql", ".py", ".csv")


def selected(manifest: Manifest, select: tuple[str, ...], exclude: tuple[str, ...]) -> set[str]:
    """The ids of the selected nodes and sources.

    :raises BadSelection: if a word selects nothing, or dbt is needed to say what it selects
    """
    words = [_of_word(manifest, word) for word in select] or [set(manifest.graph), set(manifest.sources)]
    chosen = set[str]().union(*words)
    for word in exclude:
        chosen -= _of_word(manifest, word, needed=False)
    return chosen


def _of_word(manifest: Manifest, word: str, *, needed: bool = True) -> set[str]:
    plain = _PLAIN.fullmatch(word)
    if not plain or plain["name"].lower().endswith(_FILES):
        raise BadSelection(
            f"only dbt can say what {word!r} selects: names, tag:… and a + before or after are resolved here. "
            f"Run '{BY_DBT}' beside 'dbt parse', and give ls='target/selected.json' instead of select"
        )
    name = plain["name"]
    found = set(_tagged(manifest, name) if plain["tag"] else _named(manifest, name))
    if needed and not found:
        raise BadSelection(_nothing(manifest, word, name))
    ancestors = _walk(found, manifest.parents) if plain["up"] else set()
    descendants = _walk(found, lambda each: manifest.children.get(each, ())) if plain["down"] else set()
    return found | ancestors | descendants


def _nothing(manifest: Manifest, word: str, name: str) -> str:
    says = f"the dbt selection {word!r} matches nothing"
    if any(node.name == name for nodes in (manifest.disabled or {}).values() for node in nodes):
        return f"{says}: {name} is disabled in the dbt project. Enable it, or select something else"
    if any(source.label == name or source.name == name for source in manifest.sources.values()):
        return f"{says}: {name} is a source. Select the models that read it"
    near = sorted(node.name for node in manifest.nodes.values() if node.built and name in node.name)[:3]
    hint = f"did you mean {' or '.join(near)}?" if near else "'dbt ls' lists what there is."
    return f"{says}: {hint} If it is new, run 'dbt parse' and deploy the manifest"


def _tagged(manifest: Manifest, tag: str) -> Iterator[str]:
    for unique_id, node in manifest.graph.items():
        if tag in node.labels:
            yield unique_id
    for unique_id, source in manifest.sources.items():
        if tag in source.labels:
            yield unique_id


def _named(manifest: Manifest, name: str) -> Iterator[str]:
    """What dbt finds by a name: of a node, of a folder, of a package, and these joined by dots."""
    for unique_id, node in manifest.graph.items():
        if node.fqn and (_is_named(node, node.fqn, name) or _is_named(node, node.fqn[1:], name)):
            yield unique_id


def _is_named(node: Node, fqn: tuple[str, ...], name: str) -> bool:
    wanted = name.split(".")
    if node.resource_type == "model" and node.version is not None:
        if fqn[-2:-1] == (name,) or "_".join(fqn[-2:]) == "_".join(wanted[-2:]):
            return True
    elif fqn[-1:] == (name,):
        return True
    flat = [part for segment in fqn for part in segment.split(".")]
    return flat[: len(wanted)] == wanted


def _walk(start: set[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    """All that is reached from there."""
    reached: set[str] = set()
    ahead = list(start)
    while ahead:
        new = set(following(ahead.pop())) - reached
        reached |= new
        ahead += new
    return reached
