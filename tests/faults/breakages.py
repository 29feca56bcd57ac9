"""The kinds of fault: how each begins and ends, and what the launch contract promises under it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from airflow_readiness.core.names import COLLECTOR, PROCESSOR

if TYPE_CHECKING:
    from tests.faults.site import Site

#: Seconds by which a launch may be late while all parts are up.
WELL: Final = 5.0


def _nothing(site: Site) -> None:
    """For what begins and ends at once."""


@dataclass(frozen=True, slots=True)
class Breakage:
    """One kind of fault. Durations are seconds."""

    begin: Callable[[Site], None]
    end: Callable[[Site], None] = _nothing
    #: how long it lasts, from and to
    seconds: tuple[float, float] = (15, 30)
    #: by how much a launch may be late
    bound: float = 30
    #: what the bound is counted from: the instant itself, or the end of the fault if that is later.
    #: "known": from the instant that Redis had planned when the fault began, or else from its end
    counted_from: Literal["due", "end", "known"] = "due"
    #: after its end, how long a launch may still be late because of it
    recovery: float = 10
    #: whether logs and settings cannot be written meanwhile
    holds_writers: bool = False


def _kill(part: str) -> Callable[[Site], None]:
    return lambda site: site.stack.airflow.kill(part)


def _start(part: str) -> Callable[[Site], None]:
    return lambda site: site.stack.start(part)


def _pause(dag_id: str, paused: bool) -> Callable[[Site], None]:
    return lambda site: site.stack.rest.pause(dag_id, paused)


def _die(when: str) -> Callable[[Site], None]:
    return lambda site: (site.folder / f"die-{when}").touch()


def die_when_told(folder: Path, when: str) -> None:
    """On a worker: end this process as a crash would, once for each file ``die-…``."""
    order = folder / f"die-{when}"
    if order.exists():
        order.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def _redis_signal(number: signal.Signals) -> Callable[[Site], None]:
    def send(site: Site) -> None:
        assert site.stack.redis.process
        os.kill(site.stack.redis.process.pid, number)

    return send


def _revive(site: Site) -> None:
    site.stack.revive()


def _postgres_refuses(site: Site) -> None:
    site.stack.sql("alter database readiness allow_connections false", database="postgres")
    _terminate_backends(site)


def _postgres_accepts(site: Site) -> None:
    site.stack.sql("alter database readiness allow_connections true", database="postgres")


def _terminate_backends(site: Site) -> None:
    query = "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'readiness'"
    site.stack.sql(query, database="postgres")


#: What Airflow's native way does not have.
OURS: Final = {"collector_paused", "processor_paused"}

BREAKAGES: Final[dict[str, Breakage]] = {
    "redis_restarted_empty": Breakage(
        lambda site: site.stack.redis.stop(), lambda site: site.stack.redis.start()
    ),
    "redis_frozen": Breakage(_redis_signal(signal.SIGSTOP), _redis_signal(signal.SIGCONT)),
    "redis_flushed": Breakage(lambda site: site.flush_redis(), seconds=(1, 2)),
    "redis_blackholed": Breakage(
        lambda site: site.redis_proxy.blackhole(), lambda site: site.redis_proxy.passing()
    ),
    "redis_cut": Breakage(lambda site: site.redis_proxy.cut(), lambda site: site.redis_proxy.passing()),
    "redis_slow": Breakage(lambda site: site.redis_proxy.delay(0.3), lambda site: site.redis_proxy.passing()),
    "postgres_refuses": Breakage(
        _postgres_refuses, _postgres_accepts, counted_from="known", holds_writers=True
    ),
    "postgres_blackholed": Breakage(
        lambda site: site.postgres_proxy.blackhole(),
        lambda site: site.postgres_proxy.passing(),
        counted_from="known",
        recovery=20,
        holds_writers=True,
    ),
    "postgres_cut": Breakage(
        lambda site: site.postgres_proxy.cut(),
        lambda site: site.postgres_proxy.passing(),
        counted_from="known",
        holds_writers=True,
    ),
    "postgres_sessions_ended": Breakage(_terminate_backends, seconds=(1, 2)),
    # Airflow's own database is on the same server
    # and its scheduler ends by itself, if that happens in the middle of a loop
    "postgres_restarted": Breakage(
        lambda site: site.stack.postgres.restart(),
        _revive,
        seconds=(6, 10),
        bound=60,
        counted_from="end",
        recovery=30,
    ),
    "triggerer_killed": Breakage(
        _kill("triggerer"), _start("triggerer"), seconds=(1, 5), bound=120, recovery=40
    ),
    "triggerer_absent": Breakage(
        _kill("triggerer"), _start("triggerer"), seconds=(70, 90), bound=120, recovery=40
    ),
    "scheduler_killed": Breakage(
        _kill("scheduler"), _start("scheduler"), seconds=(1, 10), bound=90, counted_from="end", recovery=60
    ),
    "api_server_killed": Breakage(
        _kill("api-server"), _start("api-server"), seconds=(1, 25), bound=60, counted_from="end", recovery=40
    ),
    "dag_processor_killed": Breakage(_kill("dag-processor"), _start("dag-processor"), bound=WELL),
    "worker_killed_before": Breakage(_die("before"), seconds=(10, 15), bound=60, recovery=20),
    "worker_killed_after": Breakage(_die("after"), seconds=(10, 15), bound=60, recovery=20),
    "collector_paused": Breakage(
        _pause(COLLECTOR, True), _pause(COLLECTOR, False), bound=60, counted_from="end"
    ),
    "processor_paused": Breakage(
        _pause(PROCESSOR, True), _pause(PROCESSOR, False), seconds=(20, 60), bound=120
    ),
}
