"""A part of the bench by itself: ``python -m tests.bench.<part> [--quick]`` prints its table."""

from __future__ import annotations

import argparse
import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console

from tests.bench.rows import table


def run(measure: Callable[[bool], Any], title: str) -> None:
    """Measure and print.

    :param measure: returns rows, or rows and what the plots show, or a coroutine that does
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="for the code path, not for the figures")
    quick = parser.parse_args().quick
    began = time.monotonic()
    found = measure(quick)
    if inspect.iscoroutine(found):
        found = asyncio.run(found)
    rows = found[0] if isinstance(found, tuple) else found
    console = Console()
    # where it goes to a file, a line is no terminal's
    console = console if console.is_terminal else Console(width=150)
    console.print(table(rows, title))
    console.print(f"{time.monotonic() - began:.0f} s")
