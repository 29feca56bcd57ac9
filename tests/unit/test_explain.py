"""What a flow still waits for, in words."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from airflow_readiness.core.condition import Moment, from_json
from airflow_readiness.core.explain import explain
from airflow_readiness.core.state import Readiness, State

DAY = dt.date(2026, 11, 22)
ZONE = "Europe/Berlin"


def at(clock: str) -> dt.datetime:
    """A wall-clock time in Berlin, in winter."""
    local = dt.datetime.combine(DAY, dt.time.fromisoformat(clock), dt.timezone(dt.timedelta(hours=1)))
    return local.astimezone(dt.timezone.utc)


def known(name: str, state: State, *, deadline: str = "06:00", **more: Any) -> Readiness:
    fields = {"log_count": 0, "needed": 1, "ready_at": None} | more
    return Readiness(name, DAY, state, at(deadline), **fields)


KNOWN = {
    "a.t": known("a.t", State.READY, ready_at=at("02:00"), log_count=1),
    "b.t": known("b.t", State.WAITING, log_count=1, needed=3),
    "c.t": known("c.t", State.MISSED, deadline="04:00", configured=False),
    "d.t": known("d.t", State.WAITING, deadline="07:30"),
}


def say(condition: Any, now: str = "05:00") -> list[str]:
    return explain(from_json(condition), KNOWN, Moment(at(now), DAY, ZONE))


def two(of: list[str], grace: int = 0) -> Any:
    return {"at_least": {"n": 2, "of": of} | ({"grace": grace} if grace else {})}


def timed(of: Any, **times: str) -> Any:
    return {"timed": {"of": of, **times}}


B_SAYS = "b.t (1 of 3 logs, deadline 06:00 Europe/Berlin)"
C_SAYS = "c.t (0 of 1 logs, missed at 04:00 Europe/Berlin, not configured)"
D_SAYS = "d.t (0 of 1 logs, deadline 07:30 Europe/Berlin)"
X_SAYS = "x.t (not judged for this date yet: its logs are read from the beginning of its window on)"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a.t", []),
        ("c.t", []),
        ("b.t", [B_SAYS]),
        ("x.t", [X_SAYS]),
        ({"all": ["a.t", "b.t", "c.t", "d.t"]}, [B_SAYS, D_SAYS]),
        ({"any": ["a.t", "b.t"]}, []),
        ({"any": ["b.t", "c.t"]}, [f"one of {B_SAYS}, {C_SAYS}"]),
        ({"all": ["b.t", {"any": ["c.t", "d.t"]}]}, [B_SAYS, f"one of {C_SAYS}, {D_SAYS}"]),
        ({"any": ["d.t", {"all": ["a.t", "b.t"]}]}, [f"one of {D_SAYS}, all of a.t (ready), {B_SAYS}"]),
        (two(["a.t", "b.t", "d.t"]), [f"2 of 3: there is a.t, and not yet {B_SAYS}, {D_SAYS}"]),
        (two(["b.t", "c.t", "d.t"]), [f"2 of 3: there is none, and not yet {B_SAYS}, {C_SAYS}, {D_SAYS}"]),
    ],
)
def test_every_missing_part_has_one_sentence(condition: Any, expected: list[str]) -> None:
    assert say(condition) == expected


def test_a_grace_that_is_running_is_told_with_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KNOWN, "e.t", known("e.t", State.READY, ready_at=at("04:45")))
    assert say(two(["a.t", "d.t", "e.t"], 1800)) == [
        f"2 of 3 are there, and for a grace of 30m until 05:15 Europe/Berlin it waits for {D_SAYS}"
    ]


def test_its_own_times_are_told() -> None:
    condition = timed({"all": ["a.t", "b.t"]}, not_before="05:30", deadline="05:45")
    assert say(condition) == [
        B_SAYS,
        "its own time: not before 05:30 Europe/Berlin",
        "its own deadline: at 05:45 Europe/Berlin it is not waited for any longer",
    ]
    assert say(timed("a.t", not_before="05:30")) == ["its own time: not before 05:30 Europe/Berlin"]
    assert say(timed("b.t", deadline="05:45", on="skip")) == [
        B_SAYS,
        "its own deadline: at 05:45 Europe/Berlin it is skipped",
    ]
    assert say({"any": ["d.t", timed("a.t", not_before="05:30")]}) == [
        f"one of {D_SAYS}, a.t.not_before(05:30) (its own time: not before 05:30 Europe/Berlin)"
    ]


def test_what_starts_has_nothing_to_tell() -> None:
    assert say(timed("a.t", not_before="05:30"), "05:30") == []
    assert say(timed("b.t", deadline="05:30"), "05:30") == []


def test_what_was_skipped_tells_when_and_for_want_of_what() -> None:
    condition = timed({"all": ["a.t", "b.t", "d.t"]}, deadline="04:30", on="skip")
    assert say(condition) == [
        f"skipped: the flow's own deadline passed at 04:30 Europe/Berlin while it waited for {B_SAYS}; {D_SAYS}"
    ]


def test_a_time_of_another_day_is_told_with_its_date(monkeypatch: pytest.MonkeyPatch) -> None:
    later = Readiness("b.t", DAY, State.WAITING, at("06:00") + dt.timedelta(days=1), 0, 1)
    monkeypatch.setitem(KNOWN, "b.t", later)
    assert say("b.t") == ["b.t (0 of 1 logs, deadline 2026-11-23 06:00 Europe/Berlin)"]
