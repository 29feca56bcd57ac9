"""Thousands of deferred ReadySensors in a real triggerer, beside as many of Airflow's DateTimeTrigger.

All are deferred in one transaction (see ``deferred``), while the triggerer has nothing to do: as workers
do it, and as the scheduler does for tasks that start from the trigger, each of which carries its whole DAG
to the triggerer. There is no scheduler: what was woken stays ``scheduled``.

The connections are in Airflow's database, as in most deployments. The first trigger that asks for one has
the triggerer load Airflow's execution API, once: 5 s and 70 MB, whoever asks. In a deployment the processor
and the collector have done so; here, one sensor of each kind has, before anything is measured.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from airflow_readiness.core.state import State
from airflow_readiness.demo.processes import wait_until
from tests.bench.one_triggerer import Processes, Site, site
from tests.bench.rows import Row
from tests.bench.size import SENSORS
from tests.bench.waiting import KINDS, Group, Task

REACH: Final = 1.2
#: Seconds before its moment in which each DateTimeTrigger writes a line every second: no time to start in.
CHATTY: Final = 20.0
#: mode → how its tasks began to wait
MODES: Final = {"worker": "deferred by workers", "trigger": "started from the trigger"}
#: For the triggerers that are measured, one for each kind: each runs the next one of these first.
WARM: Final = Group("warm", 2, 1)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    groups: tuple[Group, ...]
    #: for the code path only: all in one triggerer, which says nothing about memory
    quick: bool = False


LARGE: Final = Size((Group("worker", SENSORS // 100, 100), Group("trigger", SENSORS // 500, 100)))
QUICK: Final = Size((Group("worker", 1, 30), Group("trigger", 1, 30)), quick=True)


@dataclass(frozen=True, slots=True)
class Cost:
    """What so many triggers cost a triggerer."""

    count: int
    #: seconds from the commit until all wait
    start: float
    #: KiB of all its processes, for each
    memory: float
    #: seconds from the moment at which all are ready until all tasks are scheduled
    wake: float


class Bench:
    """Measures on a site."""

    def __init__(self, running: Site, size: Size) -> None:
        self._site = running
        self._size = size
        self._warm = iter(range(WARM.dags))

    @contextmanager
    def triggerer(self) -> Iterator[Processes]:
        """A new one that has run one of each kind."""
        with self._site.triggerer() as processes:
            number = next(self._warm)
            tasks = [WARM.waiting(kind)[number] for kind in KINDS]
            self._site.write([tasks[KINDS.index("ready")]], State.READY)
            self._site.defer(tasks, time.time())
            self._wait_until_scheduled(tasks)
            wait_until(processes.idle, 60, "a triggerer with nothing to do", pause=0)
            yield processes

    def cost(self, kind: str, group: Group, triggerer: Processes, patience: float) -> Cost:
        """Defer all, wait until all wait, make all ready, wait until all are scheduled.

        :param patience: seconds from the commit, about, for which Airflow's triggers wait
        """
        tasks = group.waiting(kind)
        memory, moment = triggerer.memory(), time.time() + patience
        committed = self._site.defer(tasks, moment)
        self._wait_until_started(kind, tasks, committed)
        start = time.time() - committed
        # the last messages between its processes are on their way
        time.sleep(0 if self._size.quick else 2)
        memory = (triggerer.memory() - memory) / len(tasks)
        moment = self._make_ready(kind, tasks, moment)
        self._wait_until_scheduled(tasks)
        wake = self._site.last_scheduled(tasks) - moment
        return Cost(len(tasks), start, memory, wake)

    def _wait_until_started(self, kind: str, tasks: list[Task], committed: float) -> None:
        wanted = tasks

        def started() -> bool:
            nonlocal wanted
            wanted = self._site.unstarted(wanted)
            return not wanted

        wait_until(started, 400, f"the start of {len(tasks)} triggers", pause=0.25)
        if kind == "ready":
            # its trigger waits once the hub has read its key
            wait_until(lambda: not self._site.unread(tasks, committed), 60, "a look at all keys", pause=0.25)

    def _make_ready(self, kind: str, tasks: list[Task], moment: float) -> float:
        if kind == "ready":
            moment = time.time()
            self._site.write(tasks, State.READY)
        elif time.time() > moment and not self._size.quick:
            raise RuntimeError(
                f"{len(tasks)} DateTimeTriggers had not all started when their moment came: "
                "the machine has too much else to do"
            )
        time.sleep(max(moment - time.time(), 0))
        return moment

    def _wait_until_scheduled(self, tasks: list[Task]) -> None:
        wait_until(lambda: "deferred" not in self._site.states(tasks), 400, "the end of all waits", pause=0.5)
        states = self._site.states(tasks)
        if states != {"resumed": len(tasks)}:
            raise RuntimeError(f"{len(tasks)} tasks should have been resumed by their triggers: {states}")


def costs(size: Size) -> dict[tuple[str, str], Cost]:
    """(mode, kind) → cost."""
    found: dict[tuple[str, str], Cost] = {}
    with site([*size.groups, WARM]) as running, ExitStack() as shared:
        bench = Bench(running, size)
        for group in size.groups:
            # long before: Redis is asked later who has looked at them since
            running.write(group.waiting("ready"), State.WAITING)
        one = shared.enter_context(bench.triggerer()) if size.quick else None
        patience = dict.fromkeys(size.groups, 0.0)
        for kind in KINDS:
            with ExitStack() as own:
                triggerer = one or own.enter_context(bench.triggerer())
                for group in size.groups:
                    cost = found[group.mode, kind] = bench.cost(kind, group, triggerer, patience[group])
                    # Airflow's trigger writes three times the lines at its start, each of which costs time; and
                    # those that wait write one every ten seconds: the more there are, the later the last starts
                    slower = 2.5 + cost.count / 2000
                    patience[group] = 3 if size.quick else 5 + slower * cost.start + CHATTY
    return found


def rows(found: dict[tuple[str, str], Cost]) -> list[Row]:
    """Of each mode: start, memory, waking."""
    made = []
    for mode, how in MODES.items():
        ours, other = found[mode, "ready"], found[mode, "moment"]
        for what, unit, value, beside in (
            ("until all wait", "s", ours.start, other.start),
            ("memory of the triggerer for each", "KiB", ours.memory, other.memory),
            ("all ready → all tasks scheduled", "s", ours.wake, other.wake),
        ):
            row = Row(
                work=f"{ours.count} sensors {how}: {what}",
                value=value,
                unit=unit,
                beside="DateTimeTrigger",
                other=beside,
                reach=REACH,
            )
            made.append(row)
    return made


def measure(quick: bool) -> list[Row]:
    """The rows."""
    return rows(costs(QUICK if quick else LARGE))
