"""Which version of the board's code a browser has. It imports nothing of Airflow."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

#: What browsers load.
STATIC: Final = Path(__file__).parent / "static"


@cache
def static_version() -> str:
    """Changes with every change of what the browser loads."""
    found = sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]
