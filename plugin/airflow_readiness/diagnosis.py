"""What is wrong, how badly, and what to do: the rules, apart from who reads the facts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from airflow_readiness.core.names import ALARMS, COLLECTOR, PROCESSOR

Severity = Literal["info", "degraded", "down"]

#: Seconds without a beat after which a part counts as not running. It beats every 30, 30 and 2 s.
SILENT: Final = {"processor": 75.0, "collector": 75.0, "registrar": 30.0}
#: The same while the collector publishes: it is blind until Airflow has made the runs.
PUBLISHING: Final = 180.0
_DAG: Final = {"processor": PROCESSOR, "collector": COLLECTOR}
#: Seconds after which a deployment without alarms is one that wants none any more.
FORGOTTEN: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    part: str
    #: ``info``: as somebody wants it; ``degraded``: slower; ``down``: launches do not come
    severity: Severity
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the system, in a line."""

    name: str
    says: str


@dataclass(frozen=True, slots=True)
class Health:
    """Everything that the CLI, the board and the metrics say of the system's health."""

    checked_at: dt.datetime
    problems: tuple[Problem, ...]
    parts: tuple[Part, ...]

    @property
    def exit_code(self) -> int:
        """0 all is well, 1 degraded, 2 launches do not come, or nothing can be read."""
        severities = {problem.severity for problem in self.problems}
        return 2 if "down" in severities else 1 if "degraded" in severities else 0

    @property
    def degraded(self) -> int:
        """The number of problems, information apart."""
        return sum(problem.severity != "info" for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``exit_code`` is in it."""
        return {
            "checked_at": self.checked_at.isoformat(),
            "exit_code": self.exit_code,
            "problems": [asdict(problem) for problem in self.problems],
            "parts": [asdict(part) for part in self.parts],
        }


@dataclass(frozen=True, slots=True)
class Beat:
    """When a part was last at work, in seconds ago, and what it said."""

    age: float
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trouble:
    """How many of a kind, and the first of them."""

    number: int
    first: str


@dataclass(frozen=True, slots=True)
class PostgresFacts:
    """What our Postgres knows."""

    store_id: str
    doorbell: bool
    beats: Mapping[str, Beat]
    #: by kind: ``overdue``, ``stuck``, ``held``, ``missed``, ``unsent``
    troubles: Mapping[str, Trouble]


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What Redis says. ``events`` is none where it may not be asked."""

    mark: str | None
    events_lacking: bool | None


@dataclass(frozen=True, slots=True)
class Facts:
    """A problem stands for a server that cannot be read."""

    postgres: PostgresFacts | Problem
    redis: RedisFacts | Problem


def judge(facts: Facts) -> Iterator[Problem]:
    """Every problem, the gravest part first."""
    known = facts.postgres if isinstance(facts.postgres, PostgresFacts) else None
    if isinstance(facts.postgres, Problem):
        yield facts.postgres
    yield from _redis(facts.redis, known)
    if known:
        yield from _registrar(known)
        yield from _triggered(known)
        yield from _signals(known, isinstance(facts.redis, RedisFacts))
        yield from _launches(known)
        yield from _alarms(known)


def _redis(redis: RedisFacts | Problem, known: PostgresFacts | None) -> Iterator[Problem]:
    if isinstance(redis, Problem):
        yield redis
        return
    if redis.mark is None or (known and redis.mark != known.store_id):
        holds = "is empty" if redis.mark is None else "holds what was written from another Postgres"
        yield Problem(
            "redis",
            "degraded",
            f"Redis {holds}",
            f"a running processor writes it anew within 30 s; if it stays so, look at the DAG {PROCESSOR} and "
            "whether another deployment uses the same database of this Redis",
        )
    mode = known.beats["collector"].detail.get("mode") if known and "collector" in known.beats else None
    if redis.events_lacking and mode != "tracking":
        yield Problem(
            "redis",
            "degraded",
            "Redis sends no keyspace notifications",
            "set notify-keyspace-events to at least 'Kg$' (CONFIG SET, redis.conf or the parameter group)",
        )


def _silent(known: PostgresFacts, part: str, limit: float | None = None) -> str:
    beat = known.beats.get(part)
    if beat is None:
        return f"the {part} has never run"
    if beat.age > (SILENT[part] if limit is None else limit):
        return f"the {part} is not running: it was last seen {span(beat.age)} ago"
    return ""


def _registrar(known: PostgresFacts) -> Iterator[Problem]:
    if silent := _silent(known, "registrar"):
        yield Problem(
            "registrar",
            "down",
            silent,
            "it lives in Airflow's API server: start that, with airflow-readiness installed, "
            "and look for 'the registrar cannot work' in its log",
        )
    elif known.beats["registrar"].detail.get("triggerers") == 0:
        yield Problem(
            "triggerer",
            "degraded",
            "no triggerer has a healthy heartbeat",
            "start one: airflow triggerer",
        )


def _triggered(known: PostgresFacts) -> Iterator[Problem]:
    registrar = None if _silent(known, "registrar") else known.beats["registrar"]
    paused = registrar.detail.get("paused", ()) if registrar else ()
    for part, dag_id in _DAG.items():
        if dag_id in paused:
            # the registrar takes the processor's step meanwhile; nobody else publishes
            severity: Severity = "down" if part == "collector" else "degraded"
            yield Problem(
                part, severity, f"the DAG {dag_id} is paused", f"unpause it: airflow dags unpause {dag_id}"
            )
            continue
        if not (silent := _silent(known, part, PUBLISHING if publishing(known, part) else None)):
            continue
        never = part not in known.beats
        yield Problem(
            part,
            "down" if never else "degraded",
            silent if never else f"{silent}; the registrar stands in for it",
            f"look at the runs of the DAG {dag_id}, which readiness_dags() makes, and at the triggerer",
        )


def publishing(known: PostgresFacts, part: str) -> bool:
    """Whether this part was last seen publishing."""
    return part in known.beats and bool(known.beats[part].detail.get("publishing"))


def _signals(known: PostgresFacts, redis_answers: bool) -> Iterator[Problem]:
    beats = {part: known.beats[part] for part in SILENT if not _silent(known, part)}
    if not known.doorbell:
        yield Problem(
            "postgres",
            "degraded",
            "the doorbell is switched off: the processor looks every second",
            "update readiness.deployment set doorbell = true",
        )
    elif "processor" in beats and beats["processor"].detail.get("deaf"):
        yield Problem(
            "postgres",
            "degraded",
            "the processor does not hear the doorbell (LISTEN): it looks every second",
            "connect to Postgres directly, not through a pooler in transaction mode",
        )
    for part in ("processor", "collector"):
        if redis_answers and part in beats and beats[part].detail.get("redis") is False:
            yield Problem(
                part,
                "degraded",
                f"the {part} does not reach Redis, which answers here: it looks at Postgres by a timer",
                "check that the triggerer's host reaches Redis",
            )
    mode = beats["collector"].detail.get("mode") if "collector" in beats else None
    if redis_answers and mode in ("timer", "postgres"):
        yield Problem(
            "collector",
            "degraded",
            f"the collector works by a timer (mode {mode}), not by keyspace notifications",
            "set notify-keyspace-events of Redis to at least 'Kg$'",
        )


def _launches(known: PostgresFacts) -> Iterator[Problem]:
    says: dict[str, tuple[Severity, str, str]] = {
        "overdue": (
            "down",
            "deadlines a minute ago that nobody has judged",
            f"start the processor: the DAG {PROCESSOR}",
        ),
        "stuck": (
            "down",
            "launches that Airflow has not recorded after a minute",
            f"look at the last run of the DAG {COLLECTOR}, and whether Airflow's scheduler and workers run",
        ),
        "missed": (
            "degraded",
            "flows that missed their launch and wait for repair",
            "the registrar starts them; to start one at once: airflow readiness repair FLOW --date YYYY-MM-DD",
        ),
        "held": (
            "info",
            "launches held, as all of their flows are paused or broken",
            "unpause or mend a flow: it starts then",
        ),
    }
    for kind, (severity, what, remedy) in says.items():
        if (trouble := known.troubles.get(kind)) and trouble.number:
            yield Problem("launches", severity, f"{what}: {trouble.number} ({trouble.first})", remedy)


def _alarms(known: PostgresFacts) -> Iterator[Problem]:
    beat = known.beats.get("alarms")
    if beat and SILENT["collector"] < beat.age < FORGOTTEN:
        yield Problem(
            "alarms",
            "degraded",
            f"nobody is told of missed sources: the alarms were last seen {span(beat.age)} ago",
            f"look at the DAG {ALARMS}, whether it is paused, and at the triggerer",
        )
    if (unsent := known.troubles.get("unsent")) and unsent.number:
        yield Problem(
            "alarms",
            "degraded",
            f"alarms that could not be sent: {unsent.number} ({unsent.first})",
            f"the log of the DAG {ALARMS}, and readiness.alarm, say why",
        )


def span(seconds: float) -> str:
    """A duration as people say it: ``12 s``, ``5 min``, ``3 h``, ``2 d``."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
