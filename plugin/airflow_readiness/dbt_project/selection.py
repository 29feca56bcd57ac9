"""What somebody selected: words as for ``dbt ls --select``, or a list that dbt made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airflow_readiness.dbt_project.listing import listed
from airflow_readiness.dbt_project.manifest import Manifest
from airflow_readiness.dbt_project.selector import selected
from airflow_readiness.errors import BadSelection


@dataclass(frozen=True, slots=True)
class Selection:
    """The words, or the list; without any of them the whole project."""

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    ls: Path | None = None

    @property
    def text(self) -> str:
        """For messages."""
        if self.ls:
            return f"the list {str(self.ls)!r}"
        words = f"the selection {' '.join(self.select)!r}" if self.select else "the whole project"
        return f"{words} without {' '.join(self.exclude)!r}" if self.exclude else words

    def ids(self, manifest: Manifest, *, patience: float = 0) -> set[str]:
        """The ids of the nodes and sources that are selected.

        :param patience: seconds to wait for somebody who is writing the list
        :raises BadManifest: if the list cannot be used
        :raises BadSelection: if nothing is selected, or dbt is needed to say what
        """
        if self.ls:
            return listed(manifest, self.ls, patience=patience)
        return selected(manifest, self.select, self.exclude)


def selection(
    select: str | Sequence[str] | None = None,
    exclude: str | Sequence[str] | None = None,
    ls: Path | None = None,
) -> Selection:
    """What was written, checked.

    :raises BadSelection: if it is empty or no text, or both words and a list are given
    """
    if ls is not None and (select is not None or exclude is not None):
        raise BadSelection(
            f"select and exclude are given beside ls={str(ls)!r}: give them to 'dbt ls', which makes the list"
        )
    return Selection(_words(select), _words(exclude), ls)


def _words(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """``"a b"`` or ``["a", "b"]``, as dbt takes them: each word selects for itself."""
    if given is None:
        return ()
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
        raise BadSelection(f"the dbt selection {given!r} is no text: write it as for 'dbt ls --select'")
    words = tuple(word for text in texts for word in text.split())
    if not words:
        raise BadSelection(f"the dbt selection {given!r} is empty: name a model, or leave it out to select all")
    return words
