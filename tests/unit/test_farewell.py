"""A task's standard output closes after its process has ended: Airflow's supervisor waits for both."""

from __future__ import annotations

import select
import subprocess
import sys

import pytest

SCRIPT = """
import os
from airflow_readiness import farewell
{call}
os._exit(0)
"""


def _open_after_the_end(call: str) -> bool:
    with subprocess.Popen([sys.executable, "-c", SCRIPT.format(call=call)], stdout=subprocess.PIPE) as process:
        assert process.wait(timeout=30) == 0
        assert process.stdout is not None
        closed, _, _ = select.select([process.stdout], [], [], 0)
        # and it is closed soon: nothing is left behind
        assert process.stdout.read() == b""
        return not closed


@pytest.mark.parametrize(("call", "stays"), [("farewell.hold_output_open()", True), ("pass", False)])
def test_standard_output_outlives_the_process(call: str, stays: bool) -> None:
    assert _open_after_the_end(call) is stays
