"""The states that operators see.

A new :class:`~airflow_readiness.core.state.State` or ``Outcome`` (``not due``, say) is told here, as one of
``SATISFIED`` if nobody waits for it, by its sentence in ``operating/why_source.py`` and its word in
``operating/why.py``; ``tests/unit/test_shown.py`` fails until it is.
"""

from __future__ import annotations

from typing import Final

from airflow_readiness.core.state import Outcome

#: A state as it is shown → its colour on a terminal.
SHOWN: Final = {
    "waiting": "",
    "at risk": "yellow",
    "ready": "green",
    "missed": "red",
    "late": "magenta",
    "skipped": "dim",
    "not due": "dim",
}
#: The same, as the command line takes them.
CHOICES: Final = tuple(state.replace(" ", "-") for state in SHOWN)
#: Outcomes of a source that is there, or that nobody needs.
SATISFIED: Final = frozenset({Outcome.READY, Outcome.SKIPPED, Outcome.NOT_DUE})
