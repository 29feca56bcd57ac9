"""What is said of each trouble: by whom it is caused, how grave it is, and what to do."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import Any

import pytest

from airflow_readiness.diagnosis import (
    Beat,
    Facts,
    Health,
    PostgresFacts,
    Problem,
    RedisFacts,
    Trouble,
    judge,
    span,
)

WELL = PostgresFacts(
    store_id="here",
    doorbell=True,
    beats={
        "processor": Beat(29, {"deaf": False, "redis": True}),
        "collector": Beat(29, {"redis": True, "mode": "notifications"}),
        "registrar": Beat(2, {"flows": 3, "triggerers": 1, "paused": []}),
        "alarms": Beat(29, {}),
    },
    troubles={"overdue": Trouble(0, ""), "missed": Trouble(0, "")},
)
REDIS_WELL = RedisFacts("here", False)
REDIS_DOWN = Problem("redis", "degraded", "Redis cannot be read", "start it")


def beat(part: str, age: float | None = 1, **detail: Any) -> PostgresFacts:
    """All is well, apart from a part that was seen so long ago (never) and said this."""
    beats = dict(WELL.beats)
    if age is None:
        del beats[part]
    else:
        beats[part] = Beat(age, {**beats[part].detail, **detail})
    return dataclasses.replace(WELL, beats=beats)


def trouble(kind: str) -> PostgresFacts:
    return dataclasses.replace(WELL, troubles={kind: Trouble(4, "a.b for 2026-11-22")})


def judged(postgres: PostgresFacts | Problem = WELL, redis: RedisFacts | Problem = REDIS_WELL) -> list[Problem]:
    return list(judge(Facts(postgres, redis)))


def health(*problems: Problem) -> Health:
    return Health(dt.datetime(2026, 11, 22, tzinfo=dt.timezone.utc), problems, ())


def test_nothing_is_said_where_all_is_well() -> None:
    assert judged() == []


@pytest.mark.parametrize(
    ("postgres", "redis", "part", "severity", "what", "remedy"),
    [
        (WELL, REDIS_DOWN, "redis", "degraded", "cannot be read", "start it"),
        (WELL, RedisFacts(None, False), "redis", "degraded", "is empty", "writes it anew"),
        (WELL, RedisFacts("other", False), "redis", "degraded", "another Postgres", "another deployment"),
        (WELL, RedisFacts("here", True), "redis", "degraded", "no keyspace notifications", "'Kg$'"),
        (beat("registrar", 31), REDIS_WELL, "registrar", "down", "last seen 31 s ago", "API server"),
        (beat("registrar", None), REDIS_WELL, "registrar", "down", "never run", "API server"),
        (
            beat("registrar", triggerers=0),
            REDIS_WELL,
            "triggerer",
            "degraded",
            "no triggerer",
            "airflow triggerer",
        ),
        (
            beat("processor", 76),
            REDIS_WELL,
            "processor",
            "degraded",
            "registrar stands in",
            "runs of",
        ),
        (beat("processor", None), REDIS_WELL, "processor", "down", "never run", "readiness_dags()"),
        (
            beat("collector", 76),
            REDIS_WELL,
            "collector",
            "degraded",
            "last seen 76 s ago",
            "readiness_collector",
        ),
        (beat("collector", 181, publishing=True), REDIS_WELL, "collector", "degraded", "last seen", "look at"),
        (
            beat("registrar", paused=["readiness_collector"]),
            REDIS_WELL,
            "collector",
            "down",
            "is paused",
            "airflow dags unpause readiness_collector",
        ),
        (
            beat("registrar", paused=["readiness_processor"]),
            REDIS_WELL,
            "processor",
            "degraded",
            "is paused",
            "airflow dags unpause readiness_processor",
        ),
        (beat("processor", deaf=True), REDIS_WELL, "postgres", "degraded", "does not hear", "directly"),
        (
            dataclasses.replace(WELL, doorbell=False),
            REDIS_WELL,
            "postgres",
            "degraded",
            "switched off",
            "set doorbell = true",
        ),
        (beat("processor", redis=False), REDIS_WELL, "processor", "degraded", "does not reach Redis", "host"),
        (beat("collector", redis=False), REDIS_WELL, "collector", "degraded", "does not reach Redis", "host"),
        (beat("collector", mode="timer"), REDIS_WELL, "collector", "degraded", "by a timer", "'Kg$'"),
        (trouble("overdue"), REDIS_WELL, "launches", "down", "nobody has judged: 4 (", "readiness_processor"),
        (trouble("stuck"), REDIS_WELL, "launches", "down", "(a.b for 2026-11-22)", "readiness_collector"),
        (trouble("missed"), REDIS_WELL, "launches", "degraded", "missed their launch", "readiness repair FLOW"),
        (trouble("held"), REDIS_WELL, "launches", "info", "launches held", "unpause or mend"),
        (trouble("unsent"), REDIS_WELL, "alarms", "degraded", "could not be sent: ", "readiness.alarm"),
        (beat("alarms", 76), REDIS_WELL, "alarms", "degraded", "last seen 76 s ago", "readiness_alarms"),
    ],
)
def test_each_trouble_is_said_once_with_its_remedy(
    postgres: PostgresFacts, redis: RedisFacts | Problem, part: str, severity: str, what: str, remedy: str
) -> None:
    (problem,) = judged(postgres, redis)
    assert (problem.part, problem.severity) == (part, severity)
    assert what in problem.what
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    ("postgres", "redis"),
    [
        # it is blind while Airflow makes the runs
        (beat("collector", 100, publishing=True), REDIS_WELL),
        # notifications are off, and something else does as well
        (beat("collector", mode="tracking"), RedisFacts("here", True)),
        # managed Redis: it may not be asked
        (WELL, RedisFacts("here", None)),
        # they were wanted once
        (beat("alarms", 86401), REDIS_WELL),
        (beat("alarms", None), REDIS_WELL),
        # an older registrar says neither
        (dataclasses.replace(WELL, beats={**WELL.beats, "registrar": Beat(1, {"flows": 3})}), REDIS_WELL),
    ],
)
def test_what_is_as_it_should_be_is_no_trouble(postgres: PostgresFacts, redis: RedisFacts) -> None:
    assert judged(postgres, redis) == []


def test_one_outage_is_not_told_by_everybody_whom_it_touches() -> None:
    silent = {part: Beat(5, {"redis": False, "mode": "postgres"}) for part in ("processor", "collector")}
    deaf = dataclasses.replace(WELL, beats={**WELL.beats, **silent})
    assert judged(deaf, REDIS_DOWN) == [REDIS_DOWN]
    postgres_down = Problem("postgres", "down", "Postgres cannot be read", "start it")
    assert judged(postgres_down) == [postgres_down]


def test_what_a_part_said_long_ago_counts_no_more() -> None:
    problems = judged(beat("registrar", 500, triggerers=0, paused=["readiness_collector"]))
    assert [problem.part for problem in problems] == ["registrar"]
    problems = judged(beat("processor", 500, deaf=True, redis=False))
    assert [problem.part for problem in problems] == ["processor"]


def test_the_exit_code_is_that_of_the_gravest_and_information_is_none() -> None:
    info, degraded, down = (Problem("x", severity, "w", "r") for severity in ("info", "degraded", "down"))
    assert [health(*each).exit_code for each in ((), (info,), (info, degraded), (degraded, down))] == [
        0,
        0,
        1,
        2,
    ]
    assert health(info, degraded, down).degraded == 2


def test_json_says_the_same() -> None:
    document = json.loads(json.dumps(health(Problem("redis", "down", "w", "r")).to_json()))
    assert document == {
        "checked_at": "2026-11-22T00:00:00+00:00",
        "exit_code": 2,
        "problems": [{"part": "redis", "severity": "down", "what": "w", "remedy": "r"}],
        "parts": [],
    }


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (300000, "3 d")]
)
def test_a_duration_is_said_as_people_do(seconds: float, text: str) -> None:
    assert span(seconds) == text
