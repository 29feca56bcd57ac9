"""The SQL of this package: ``queries.sql`` by name, the schema and its migrations as files.

A query begins with a line ``-- name: what_it_is``. Every value is a parameter.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final

_HEADER: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries() -> dict[str, str]:
    """Every named query of ``queries.sql``."""
    return named(read("queries.sql"))


def named(text: str) -> dict[str, str]:
    """Every named query of a file."""
    pieces = _HEADER.split(text)
    return dict(zip(pieces[1::2], (query.strip().rstrip(";") for query in pieces[2::2]), strict=True))


def read(name: str) -> str:
    """A file of this folder, as text."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def migrations() -> dict[int, str]:
    """Version → file name, in order."""
    names = sorted(
        entry.name for entry in files(__package__).joinpath("migrations").iterdir() if entry.name[:4].isdigit()
    )
    return {int(name[:4]): name for name in names}
