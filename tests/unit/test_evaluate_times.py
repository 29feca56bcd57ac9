"""Conditions with times of their own: when they are satisfied, skipped, or fall due."""

from __future__ import annotations

import datetime as dt
import os
import zoneinfo
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_readiness.core.condition import Moment, Verdict, from_json
from airflow_readiness.core.state import OnDeadline, Readiness, State
from tests.conditions_model import Day, Fact

UTC = dt.timezone.utc
DAY = dt.date(2026, 11, 22)
WAITING, READY, MISSED, SKIPPED, FAILED = Verdict
ABC = ["a.t", "b.t", "c.t"]
EXAMPLES = int(os.environ.get("READINESS_EXAMPLES", "400"))
MICROSECOND = dt.timedelta(microseconds=1)


def known_by(now: dt.datetime, day: Day) -> dict[str, Readiness]:
    """What the processor has said by then."""
    known = {}
    for name, fact in day.by(now).facts.items():
        if fact.ready_at:
            state = State.READY if fact.ready_at <= fact.deadline_at else State.LATE
        elif not fact.due:
            state = State.NOT_DUE
        else:
            state = State.MISSED if fact.deadline_at <= now else State.WAITING
        on_deadline = OnDeadline(fact.on_deadline)
        known[name] = Readiness(
            name, day.date, state, fact.deadline_at, 0, 1, fact.ready_at, on_deadline=on_deadline
        )
    return known


def at(clock: str) -> dt.datetime:
    return dt.datetime.combine(DAY, dt.time.fromisoformat(clock), UTC)


def verdict(condition: Any, now: str, **facts: str) -> tuple[Verdict, dt.datetime | None]:
    """``a="05:00 06:00"``: ready at 5, waited for until 6; ``a="- 06:00"``: not ready."""
    told = {}
    for letter, fact in facts.items():
        ready, deadline = fact.split()
        told[f"{letter}.t"] = Fact(None if ready == "-" else at(ready), at(deadline))
    day = Day(told, DAY, zoneinfo.ZoneInfo("UTC"))
    return from_json(condition).evaluate(known_by(at(now), day), Moment(at(now), DAY, "UTC"))[:2]


def two(grace: int = 0) -> Any:
    return {"at_least": {"n": 2, "of": ABC} | ({"grace": grace} if grace else {})}


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("04:59", (WAITING, at("08:00"))),
        ("05:00", (READY, at("05:00"))),
        ("09:00", (READY, at("05:00"))),
    ],
)
def test_two_of_three_are_enough(now: str, expected: object) -> None:
    facts = {"a": "05:00 06:00", "b": "- 08:00", "c": "04:00 06:00"}
    assert verdict(two(), now, **facts) == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [("07:59", (WAITING, at("08:00"))), ("08:00", (MISSED, at("08:00"))), ("08:30", (READY, at("08:30")))],
)
def test_too_few_are_waited_for_until_each_is_ready_or_missed(now: str, expected: object) -> None:
    facts = {"a": "05:00 06:00", "b": "08:30 08:00", "c": "- 07:00"}
    assert verdict(two(), now, **facts) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        # the third does not come: thirty minutes from the second on
        ({"a": "05:00 09:00", "b": "- 09:00", "c": "04:00 09:00"}, at("05:30")),
        # it comes within the grace
        ({"a": "05:00 09:00", "b": "05:10 09:00", "c": "04:00 09:00"}, at("05:10")),
        # its deadline falls into the grace
        ({"a": "05:00 09:00", "b": "- 05:20", "c": "04:00 09:00"}, at("05:20")),
        # it was missed before there were two: there is nobody to wait for
        ({"a": "05:00 09:00", "b": "- 04:30", "c": "04:00 09:00"}, at("05:00")),
        # nothing is known of it
        ({"a": "05:00 09:00", "c": "04:00 09:00"}, at("05:30")),
    ],
)
def test_the_others_are_waited_for_as_long_as_the_grace(facts: dict[str, str], expected: dt.datetime) -> None:
    just_before = f"{expected - dt.timedelta(minutes=1):%H:%M}"
    assert verdict(two(1800), f"{expected:%H:%M}", **facts) == (READY, expected)
    assert verdict(two(1800), just_before, **facts)[0] is WAITING


def test_a_grace_that_is_running_is_when_it_falls_due() -> None:
    facts = {"a": "05:00 09:00", "b": "- 09:00", "c": "04:00 09:00"}
    assert verdict(two(1800), "05:01", **facts) == (WAITING, at("05:30"))
    # also where an alternative would be waited for longer
    assert verdict({"any": [two(1800), "d.t"]}, "05:01", **facts, d="- 09:00") == (WAITING, at("05:30"))


def timed(of: Any, **times: str) -> Any:
    return {"timed": {"of": of, **times}}


def test_it_is_not_satisfied_before_its_time() -> None:
    condition = timed("a.t", not_before="03:00")
    assert verdict(condition, "02:59", a="01:00 06:00") == (WAITING, at("03:00"))
    assert verdict(condition, "03:00", a="01:00 06:00") == (READY, at("03:00"))
    assert verdict(condition, "03:00", a="- 06:00") == (WAITING, at("06:00"))
    assert verdict(condition, "04:00", a="04:00 06:00") == (READY, at("04:00"))
    # what is missed waits too
    assert verdict(condition, "02:00", a="- 01:00") == (WAITING, at("03:00"))
    assert verdict(condition, "03:00", a="- 01:00") == (MISSED, at("03:00"))


def test_a_part_may_have_a_time_of_its_own() -> None:
    condition = {"any": [timed("a.t", not_before="03:00"), "b.t"]}
    assert verdict(condition, "02:00", a="01:00 06:00", b="- 06:00") == (WAITING, at("03:00"))
    assert verdict(condition, "03:00", a="01:00 06:00", b="- 06:00") == (READY, at("03:00"))
    assert verdict(condition, "02:00", a="01:00 06:00", b="02:00 06:00") == (READY, at("02:00"))
    condition = {"all": [timed("a.t", deadline="05:00"), "b.t"]}
    assert verdict(condition, "05:30", a="- 06:00", b="- 07:00") == (WAITING, at("07:00"))
    assert verdict(condition, "05:30", a="- 06:00", b="05:30 07:00") == (MISSED, at("05:30"))


def test_at_its_own_deadline_it_starts_with_what_there_is() -> None:
    condition = timed({"all": ["a.t", "b.t"]}, deadline="05:30")
    assert verdict(condition, "05:29", a="05:00 06:00", b="- 07:00") == (WAITING, at("05:30"))
    assert verdict(condition, "05:30", a="05:00 06:00", b="- 07:00") == (MISSED, at("05:30"))
    assert verdict(condition, "05:00", a="05:00 06:00", b="04:00 07:00") == (READY, at("05:00"))
    # those of its sources are earlier
    assert verdict(condition, "05:10", a="- 05:10", b="04:00 07:00") == (MISSED, at("05:10"))
    # of what nothing is known it has a deadline all the same
    assert verdict(condition, "05:00") == (WAITING, at("05:30"))
    assert verdict(condition, "05:30") == (MISSED, at("05:30"))


def test_at_its_own_deadline_it_is_skipped_if_something_is_missing() -> None:
    condition = timed({"all": ["a.t", "b.t"]}, deadline="05:30", on="skip")
    assert verdict(condition, "05:29", a="05:00 06:00", b="- 07:00") == (WAITING, at("05:30"))
    assert verdict(condition, "05:30", a="05:00 06:00", b="- 07:00") == (SKIPPED, at("05:30"))
    assert verdict(condition, "05:30", a="05:00 06:00", b="05:30 07:00") == (READY, at("05:30")), "just in time"
    assert verdict(condition, "05:30", a="- 05:30", b="05:00 07:00") == (MISSED, at("05:30"))


def test_who_looks_late_decides_as_who_looked_in_time() -> None:
    condition = timed("a.t", deadline="05:30", on="skip")
    assert verdict(condition, "12:00", a="05:29 06:00") == (READY, at("05:29"))
    assert verdict(condition, "12:00", a="05:31 06:00") == (SKIPPED, at("05:30"))
    # it was missed at 5 and would have been started then, although its log came after the flow's deadline
    assert verdict(condition, "12:00", a="05:45 05:00")[0] is READY


def test_what_is_skipped_says_so_before_it_is() -> None:
    moment = Moment(at("04:00"), DAY, "UTC")
    known = {"a.t": Readiness("a.t", DAY, State.WAITING, at("06:00"), 0, 1)}
    for on, falls in (("skip", SKIPPED), ("run", MISSED)):
        condition = from_json(timed("a.t", deadline="05:30", on=on))
        assert condition.evaluate(known, moment) == (WAITING, at("05:30"), falls)


def test_it_is_satisfied_by_its_deadline_and_starts_not_before_its_time() -> None:
    condition = timed("a.t", not_before="05:00", deadline="05:30", on="skip")
    assert verdict(condition, "04:00", a="03:00 06:00") == (WAITING, at("05:00"))
    assert verdict(condition, "05:00", a="03:00 06:00") == (READY, at("05:00"))


@pytest.mark.parametrize(
    ("zone", "day", "clock", "expected"),
    [
        ("Europe/Berlin", "2026-11-22", "06:30", "2026-11-22T05:30Z"),
        # skipped by the clock change: read with the offset before it, as the deadline of a source
        ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:30Z"),
        # repeated: the second one
        ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T01:30Z"),
        ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:45Z"),
    ],
)
def test_its_times_are_wall_clock_times_of_the_date(zone: str, day: str, clock: str, expected: str) -> None:
    date = dt.date.fromisoformat(day)
    instant = dt.datetime.fromisoformat(expected.replace("Z", "+00:00"))
    known = {"a.t": Readiness("a.t", date, State.WAITING, instant + dt.timedelta(hours=9), 0, 1)}
    condition = from_json(timed("a.t", deadline=clock))
    before = condition.evaluate(known, Moment(instant - MICROSECOND, date, zone))
    assert before[:2] == (WAITING, instant)
    assert condition.evaluate(known, Moment(instant, date, zone)).verdict is MISSED


def test_where_a_clock_change_turns_its_times_around_it_does_not_start_before_its_time() -> None:
    # 02:30 is skipped and becomes 03:30, after the deadline at 03:00
    date, zone = dt.date(2026, 3, 29), "Europe/Berlin"
    condition = from_json(timed("a.t", not_before="02:30", deadline="03:00"))
    known = {"a.t": Readiness("a.t", date, State.WAITING, dt.datetime(2026, 3, 29, 9, tzinfo=UTC), 0, 1)}
    start = dt.datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert condition.evaluate(known, Moment(start - MICROSECOND, date, zone)) == (WAITING, start, MISSED)
    assert condition.evaluate(known, Moment(start, date, zone)).verdict is MISSED


# Against the model, over random conditions, stories and dates, those of clock changes among them.

names = st.sampled_from([f"{letter}.t" for letter in "abcd"])
clocks = st.sampled_from(["00:00", "01:00", "02:00", "02:30", "03:00", "04:30"])


def _times() -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries({}, optional={"not_before": clocks, "deadline": clocks}).filter(
        lambda times: times.get("not_before", "") <= times.get("deadline", "24")
    )


def _several(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, min_size=3, max_size=4, unique_by=repr)
    return st.one_of(
        st.builds(
            lambda op, of: {op: of}, st.sampled_from(["all", "any"]), st.lists(inner, min_size=2, max_size=3)
        ),
        st.builds(lambda of: {"at_least": {"n": 2, "of": of}}, lists),
        st.builds(lambda of, grace: {"at_least": {"n": 2, "of": of, "grace": grace}}, lists, st.just(2400)),
        st.builds(lambda of, times: timed(of, **times), inner.filter(lambda of: "timed" not in of), _times()),
    )


def _tree(value: Any) -> Any:
    """Its canonical form, or none if it has none."""
    try:
        return from_json(value).to_json()
    except ValueError:
        return None


trees = st.recursive(names, _several, max_leaves=6).map(_tree).filter(bool)
wholes = st.one_of(
    trees,
    st.builds(lambda of, clock: timed(of, deadline=clock, on="skip"), trees, clocks).map(_tree).filter(bool),
)
dates = st.sampled_from(
    [
        ("UTC", "2026-11-22"),
        ("Europe/Berlin", "2026-03-29"),
        ("Europe/Berlin", "2026-10-25"),
        ("Australia/Lord_Howe", "2026-10-04"),
    ]
)
halves = st.integers(0, 16)


due = st.sampled_from([True, True, True, False])
on_deadlines = st.sampled_from(["run", "run", "run", "skip", "fail"])
stories = st.dictionaries(names, st.tuples(st.none() | halves, halves, due, on_deadlines))


@settings(max_examples=EXAMPLES)
@given(wholes, stories, dates, st.integers(0, 18), st.booleans())
def test_the_verdict_is_that_of_who_lives_through_the_day(
    tree: Any,
    told: dict[str, tuple[int | None, int, bool, str]],
    start: tuple[str, str],
    half: int,
    just_before: bool,
) -> None:
    zone, date = zoneinfo.ZoneInfo(start[0]), dt.date.fromisoformat(start[1])
    midnight = dt.datetime.combine(date, dt.time(), zone).astimezone(UTC)

    def instant(number: int) -> dt.datetime:
        # half hours, some of them before the day begins
        return midnight + dt.timedelta(minutes=30 * (number - 2))

    facts = {
        name: Fact(None if ready is None else instant(ready), instant(deadline), due, on_deadline)
        for name, (ready, deadline, due, on_deadline) in told.items()
    }
    now = instant(half) - (MICROSECOND if just_before else dt.timedelta())
    day = Day(facts, date, zone)
    decision, when = day.decide(tree, now)
    found = from_json(tree).evaluate(known_by(now, day), Moment(now, date, start[0]))
    if decision == "waiting":
        assert found[:2] == (WAITING, when)
        # what it says it will be, it is
        if when:
            then = from_json(tree).evaluate(known_by(when, day.by(now)), Moment(when, date, start[0]))
            assert then.verdict is found.falls
    elif decision != "launched":
        assert found == (Verdict(decision), when, Verdict(decision))
    else:
        rest = day.by(now).pruned(tree)
        assert found.verdict is (READY if rest is None or day.by(now).is_ready(rest, now) else MISSED)
