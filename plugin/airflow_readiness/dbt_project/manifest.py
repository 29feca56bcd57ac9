"""dbt's ``manifest.json``: what is needed of it, and nothing else.

DAG files are parsed again and again, each time in a new process, and a manifest has tens of megabytes: so
the rest of it is skipped, not decoded. dbt writes the file in place, so a reader may find half of it.
"""

from __future__ import annotations

import itertools
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec

from airflow_readiness.errors import BadManifest

#: schema versions whose nodes and sources look alike: dbt 1.5 and later
VERSIONS: Final = range(9, 13)
#: seconds: what was written longer ago and does not parse is not being written any more
FRESH: Final = 10.0
_PAUSE: Final = 0.1


# tens of thousands of these, in a process that holds all of Airflow: none is for the garbage collector
class NodeConfig(msgspec.Struct, gc=False):
    """The configuration of a node."""

    materialized: str | None = None
    tags: str | tuple[str, ...] | None = None


class DependsOn(msgspec.Struct, gc=False):
    """What a node reads."""

    nodes: tuple[str, ...] = ()


class Node(msgspec.Struct, gc=False):
    """A model, a snapshot, a test, an exposure: whatever has parents in dbt's graph."""

    resource_type: str = ""
    name: str = ""
    fqn: tuple[str, ...] = ()
    version: str | float | None = None
    tags: str | tuple[str, ...] | None = None
    config: NodeConfig = msgspec.field(default_factory=NodeConfig)
    depends_on: DependsOn = msgspec.field(default_factory=DependsOn)

    @property
    def labels(self) -> tuple[str, ...]:
        """Its tags."""
        return _labels(self.tags, self.config.tags)

    @property
    def inlined(self) -> bool:
        """Whether it is no table or view of its own, but a part of what reads it."""
        return self.config.materialized == "ephemeral" or self.resource_type == "function"

    @property
    def built(self) -> bool:
        """Whether ``dbt build`` makes a table or view of it."""
        return self.resource_type in ("model", "snapshot", "seed") and not self.inlined


class External(msgspec.Struct):
    """``external:`` of a source."""

    location: Any = None


class SourceConfig(msgspec.Struct):
    """The configuration of a source."""

    meta: dict[str, Any] | None = None
    tags: str | tuple[str, ...] | None = None


class Source(msgspec.Struct):
    """A table that dbt reads and does not make."""

    name: str
    source_name: str
    database: str | None = None
    schema: str | None = None
    identifier: str | None = None
    external: External | None = None
    meta: dict[str, Any] | None = None
    tags: str | tuple[str, ...] | None = None
    config: SourceConfig = msgspec.field(default_factory=SourceConfig)

    @property
    def label(self) -> str:
        """As dbt's users name it: ``source_name.name``."""
        return f"{self.source_name}.{self.name}"

    @property
    def labels(self) -> tuple[str, ...]:
        """Its tags."""
        return _labels(self.tags, self.config.tags)


class Metadata(msgspec.Struct):
    """Who wrote the manifest, and how."""

    dbt_schema_version: str | None = None
    dbt_version: str | None = None


class Manifest(msgspec.Struct, dict=True):
    """A dbt project, as parsed by dbt."""

    metadata: Metadata
    nodes: dict[str, Node]
    sources: dict[str, Source]
    disabled: dict[str, tuple[Node, ...]] | None = None
    exposures: dict[str, Node] = {}
    metrics: dict[str, Node] = {}
    semantic_models: dict[str, Node] = {}
    saved_queries: dict[str, Node] = {}
    unit_tests: dict[str, Node] = {}
    functions: dict[str, Node] = {}

    @cached_property
    def graph(self) -> Mapping[str, Node]:
        """Everything that dbt selects by name, sources apart."""
        more = (self.exposures, self.metrics, self.semantic_models, self.saved_queries, self.unit_tests)
        graph = self.nodes | self.functions
        for each in more:
            graph |= each
        return graph

    @cached_property
    def children(self) -> Mapping[str, list[str]]:
        """Who reads a node or a source."""
        children: dict[str, list[str]] = defaultdict(list)
        for unique_id, node in self.graph.items():
            for parent in node.depends_on.nodes:
                children[parent].append(unique_id)
        return children

    def parents(self, unique_id: str) -> Iterable[str]:
        """What a node reads; nothing, if it is a source."""
        return self.graph[unique_id].depends_on.nodes if unique_id in self.graph else ()


class _Head(msgspec.Struct):
    metadata: Metadata | None = None


def _labels(*tags: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Tags as dbt keeps them: several, one, or none."""
    several = ((each,) if isinstance(each, str) else each or () for each in tags)
    return tuple(itertools.chain.from_iterable(several))


def load(path: Path, *, patience: float = 0, pause: Callable[[float], object] = time.sleep) -> Manifest:
    """Read a manifest; blocking. What was read is kept while the file stays as it is.

    :param patience: seconds to wait for somebody who is writing it
    :param pause: sleeps for so many seconds
    :raises BadManifest: if it is missing, unfinished, or of an unknown version
    """
    until = time.monotonic() + patience
    while True:
        try:
            stat = path.stat()
            return _read(path, stat.st_ino, stat.st_mtime_ns, stat.st_size)
        except _Unfinished as error:
            if time.monotonic() >= until or time.time() - stat.st_mtime > FRESH:
                raise BadManifest(
                    f"the dbt manifest {str(path)!r} is no complete JSON ({error}): dbt is writing it, or was "
                    "interrupted. Run 'dbt parse' again; deploy it by renaming it into its place"
                ) from error
            pause(_PAUSE)
        except IsADirectoryError:
            raise BadManifest(
                f"{str(path)!r} is a folder: give the file that 'dbt parse' writes, target/manifest.json"
            ) from None
        except OSError as error:
            raise BadManifest(
                f"the dbt manifest {str(path)!r} cannot be read ({error.strerror or error}): run 'dbt parse' "
                "in the dbt project and deploy its target/manifest.json with the DAG file"
            ) from error


class _Unfinished(Exception):
    """Not a whole JSON document, or not yet."""


@lru_cache(maxsize=8)
def _read(path: Path, *_version: int) -> Manifest:
    content = path.read_bytes()
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.ValidationError as error:
        _check(path, _metadata(content))
        raise BadManifest(
            f"the dbt manifest {str(path)!r} is not as dbt writes it: {error}. Run 'dbt parse' again"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _Unfinished(error) from error
    _check(path, manifest.metadata)
    return manifest


def _metadata(content: bytes) -> Metadata | None:
    """Who wrote it, if it is at least so much of a manifest."""
    try:
        return msgspec.json.decode(content, type=_Head).metadata
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _check(path: Path, metadata: Metadata | None) -> None:
    """Raise BadManifest unless this is a manifest of a version that was tried."""
    written = (metadata and metadata.dbt_schema_version) or ""
    found = re.search(r"/manifest/v(\d+)\.json$", written)
    if not found:
        raise BadManifest(
            f"{str(path)!r} is no dbt manifest (its dbt_schema_version is {written!r}): "
            "give the file that 'dbt parse' writes, target/manifest.json"
        )
    if int(found[1]) not in VERSIONS:
        by = f", by dbt {metadata.dbt_version}" if metadata and metadata.dbt_version else ""
        raise BadManifest(
            f"the dbt manifest {str(path)!r} is of version v{found[1]}{by}: v{VERSIONS[0]} to v{VERSIONS[-1]} "
            "can be read (dbt 1.5 and later). Upgrade dbt or airflow-readiness, whichever is older"
        )
