"""Progress bars of long work, on a terminal. Imported by every ``airflow`` command: imports are inside."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """Told of a part of the work, how much of it is done and how much there is: a bar for each part.

    They are drawn on stderr: stdout is for the answer.
    """
    from rich.console import Console
    from rich.progress import Progress, TaskID

    with Progress(console=Console(stderr=True), transient=True, disable=not _terminal()) as drawn:
        known: dict[str, TaskID] = {}

        def progress(part: str, done: int, whole: int) -> None:
            if part not in known:
                known[part] = drawn.add_task(part, total=whole)
            drawn.update(known[part], completed=done, total=whole)

        yield progress


def _terminal() -> bool:
    import sys

    return sys.stderr.isatty()
