"""Whether a condition is satisfied, and when it will be."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_readiness.core.condition import Condition, Moment, Verdict, combine, from_json, of_source
from airflow_readiness.core.state import Readiness, State

DAY = dt.date(2026, 11, 22)
MIDNIGHT = dt.datetime(2026, 11, 22, tzinfo=dt.timezone.utc)


def _at(hour: int) -> dt.datetime:
    return MIDNIGHT + dt.timedelta(hours=hour)


Answer = tuple[Verdict, dt.datetime | None]


def moment(now: dt.datetime) -> Moment:
    return Moment(now, DAY, "UTC")


def _known(name: str, state: State, deadline: int, ready: int | None = None) -> Readiness:
    ready_at = None if ready is None else _at(ready)
    return Readiness(name, DAY, state, _at(deadline), log_count=0, needed=1, ready_at=ready_at)


def _evaluate(condition: object, **states: str) -> Answer:
    """``a`` has its deadline at 6, ``b`` at 7, ``c`` at 8; what is ready was so at 1, 2, 3; late at 10."""
    known = {}
    for letter, state in states.items():
        number = "abc".index(letter)
        ready = {"ready": number + 1, "late": 10}.get(state)
        name = f"{letter}.t"
        known[name] = _known(name, State(state), 6 + number, ready)
    # when the last of it was said
    return from_json(condition).evaluate(known, moment(_at(0)))[:2]


#: the deadline of ``a`` has passed by what was said of ``b``, and somebody has yet to say so of ``a``
UNSAID = _at(7) + dt.timedelta(microseconds=1)
BOTH, EITHER = {"all": ["a.t", "b.t"]}, {"any": ["a.t", "b.t"]}
WAITING, READY, MISSED = Verdict.WAITING, Verdict.READY, Verdict.MISSED


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("waiting", (WAITING, _at(6))),
        ("ready", (READY, _at(1))),
        ("missed", (MISSED, _at(6))),
        ("late", (READY, _at(10))),
    ],
)
def test_one_source_is_what_is_known_of_it(state: str, expected: Answer) -> None:
    assert _evaluate("a.t", a=state) == expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("waiting", "waiting", (WAITING, _at(7))),
        ("ready", "waiting", (WAITING, _at(7))),
        ("waiting", "missed", (WAITING, UNSAID)),
        ("ready", "ready", (READY, _at(2))),
        ("ready", "missed", (MISSED, _at(7))),
        ("missed", "missed", (MISSED, _at(7))),
        ("late", "ready", (READY, _at(10))),
        # a was missed at 6
        ("late", "missed", (MISSED, _at(7))),
    ],
)
def test_all_waits_until_each_is_ready_or_missed(a: str, b: str, expected: Answer) -> None:
    assert _evaluate(BOTH, a=a, b=b) == expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("waiting", "waiting", (WAITING, _at(7))),
        ("missed", "waiting", (WAITING, _at(7))),
        ("waiting", "missed", (WAITING, UNSAID)),
        ("missed", "missed", (MISSED, _at(7))),
        ("ready", "waiting", (READY, _at(1))),
        ("missed", "ready", (READY, _at(2))),
        ("ready", "ready", (READY, _at(1))),
        ("late", "ready", (READY, _at(2))),
        ("late", "missed", (READY, _at(10))),
    ],
)
def test_any_waits_until_one_is_ready_or_each_is_missed(a: str, b: str, expected: Answer) -> None:
    assert _evaluate(EITHER, a=a, b=b) == expected


def test_a_source_of_which_nothing_is_known_is_waited_for_without_an_end() -> None:
    assert _evaluate("a.t") == (WAITING, None)
    assert _evaluate(BOTH, a="ready") == (WAITING, None)
    assert _evaluate(EITHER, a="missed") == (WAITING, None)


def test_any_does_not_wait_for_an_unknown_source_once_one_is_ready() -> None:
    assert _evaluate(EITHER, b="ready") == (READY, _at(2))


def test_a_nested_any_that_one_source_satisfies_is_waited_for_no_longer() -> None:
    nested = {"all": ["a.t", {"any": ["b.t", "c.t"]}]}
    assert _evaluate(nested, a="ready", b="waiting", c="ready") == (READY, _at(3))
    assert _evaluate(nested, a="ready", b="missed", c="waiting") == (WAITING, _at(8))
    assert _evaluate(nested, a="missed", b="ready", c="waiting") == (MISSED, _at(6))


def test_a_nested_all_that_a_deadline_satisfies_is_not_ready() -> None:
    nested = {"any": ["c.t", {"all": ["a.t", "b.t"]}]}
    assert _evaluate(nested, a="ready", b="missed", c="waiting") == (WAITING, _at(8))
    assert _evaluate(nested, a="ready", b="missed", c="missed") == (MISSED, _at(8))
    assert _evaluate(nested, a="ready", b="ready", c="waiting") == (READY, _at(2))


# An independent model: conditions as predicates over plain sets of names.

NAMES = tuple(f"{letter}.t" for letter in "abcde")
conditions: st.SearchStrategy[Condition] = st.recursive(
    st.sampled_from(NAMES).map(of_source),
    lambda inner: st.builds(combine, st.sampled_from(["all", "any"]), st.lists(inner, min_size=1, max_size=3)),
    max_leaves=8,
)


def _story(name: str) -> st.SearchStrategy[Readiness]:
    """Told between 4 and 5 o'clock: what has happened was before, what is waited for is still to come."""
    past, future = st.integers(0, 4), st.integers(5, 9)
    return st.one_of(
        st.builds(_known, st.just(name), st.just(State.WAITING), future),
        st.builds(_known, st.just(name), st.just(State.MISSED), past),
        st.builds(_known, st.just(name), st.just(State.READY), future, past),
        st.builds(_known, st.just(name), st.just(State.LATE), st.just(0), past),
    )


#: When the story is told.
NOW = _at(4) + dt.timedelta(minutes=30)

stories = st.fixed_dictionaries({}, optional={name: _story(name) for name in NAMES})


def _holds(condition: Condition, good: set[str]) -> bool:
    if condition.op == "source":
        return condition.source in good
    return (all if condition.op == "all" else any)(_holds(part, good) for part in condition.parts)


def _settled(condition: Condition, ready: set[str], ended: set[str]) -> bool:
    """Satisfied: an ``any`` by one that is ready, or by all that are satisfied."""
    if condition.op == "source":
        return condition.source in ended
    satisfied = all(_settled(part, ready, ended) for part in condition.parts)
    return satisfied or (condition.op == "any" and any(_holds(part, ready) for part in condition.parts))


@given(conditions, stories)
def test_the_verdict_is_that_of_a_naive_model(condition: Condition, known: dict[str, Readiness]) -> None:
    ready = {name for name, each in known.items() if each.state in (State.READY, State.LATE)}
    ended = ready | {name for name, each in known.items() if each.state is State.MISSED}
    if _holds(condition, ready):
        expected = READY
    else:
        expected = MISSED if _settled(condition, ready, ended) else WAITING
    assert condition.evaluate(known, moment(NOW)).verdict is expected


@given(conditions, stories)
def test_at_the_instant_it_falls_due_and_not_before_it_is_satisfied(
    condition: Condition, known: dict[str, Readiness]
) -> None:
    verdict, due_at, falls = condition.evaluate(known, moment(NOW))
    if verdict is not WAITING:
        assert falls is verdict
        return
    if due_at is None:
        passed = {
            name: each.at(dt.datetime.max.replace(tzinfo=dt.timezone.utc)) for name, each in known.items()
        }
        assert condition.evaluate(passed, moment(_at(30))).verdict is WAITING
        return
    then = {name: each.at(due_at) for name, each in known.items()}
    before = {name: each.at(due_at - dt.timedelta(microseconds=1)) for name, each in known.items()}
    assert condition.evaluate(then, moment(due_at)).verdict is falls is not WAITING
    assert condition.evaluate(before, moment(due_at - dt.timedelta(microseconds=1))).verdict is WAITING


@given(conditions, stories, st.sampled_from(NAMES))
def test_what_becomes_ready_never_makes_a_flow_wait_longer(
    condition: Condition, known: dict[str, Readiness], name: str
) -> None:
    order = [WAITING, MISSED, READY]
    better = {**known, name: _known(name, State.READY, 5, 0)}
    now = moment(NOW)
    assert order.index(condition.evaluate(better, now).verdict) >= order.index(
        condition.evaluate(known, now).verdict
    )


def test_a_source_is_waited_for_until_somebody_says_that_its_deadline_has_passed() -> None:
    known = {"a.t": _known("a.t", State.WAITING, 6)}
    assert of_source("a.t").evaluate(known, moment(_at(7))).verdict is WAITING
    assert of_source("a.t").evaluate({"a.t": known["a.t"].at(_at(7))}, moment(_at(7))).verdict is MISSED


def test_what_was_said_has_happened_also_by_a_clock_that_is_behind() -> None:
    known = {"a.t": _known("a.t", State.READY, 6, 5)}
    assert of_source("a.t").evaluate(known, moment(_at(4))) == (READY, _at(5), READY)
