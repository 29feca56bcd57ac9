"""A statsd for tests: a socket that hears our metrics."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator


class Statsd:
    """Where Airflow sends its metrics."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.port: int = listener.getsockname()[1]
        self._heard: list[str] = []

    def heard(self, name: str) -> list[tuple[float, str]]:
        """Every (value, kind) of ``readiness.<name>`` so far: of kind ``ms``, ``g`` or ``c``."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._heard.append(self._listener.recv(1000).decode())
        wanted = [
            each.partition(":")[2] for each in self._heard if each.startswith(f"airflow.readiness.{name}:")
        ]
        return [(float(value), kind) for value, _, kind in (each.partition("|") for each in wanted)]


@contextlib.contextmanager
def statsd() -> Iterator[Statsd]:
    """One that listens until the end."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.setblocking(False)
        yield Statsd(listener)


def settings(listener: Statsd) -> dict[str, str]:
    """The environment in which Airflow sends its metrics there, and only ours."""
    return {
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_PORT": str(listener.port),
        "AIRFLOW__METRICS__METRICS_ALLOW_LIST": "readiness",
    }
