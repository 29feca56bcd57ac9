"""Conditions: their one canonical form, their text, their JSON."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_readiness.core.condition import (
    MAX_TEXT,
    Condition,
    at_least,
    combine,
    from_json,
    of_source,
    timed,
)
from airflow_readiness.errors import BadCondition, BadInput, BadName

A, B, C, D = (of_source(f"{letter}.t") for letter in "abcd")

ops: st.SearchStrategy[Literal["all", "any"]] = st.sampled_from(["all", "any"])
conditions: st.SearchStrategy[Condition] = st.recursive(
    st.sampled_from([A, B, C, D]),
    lambda inner: st.one_of(
        st.builds(combine, ops, st.lists(inner, min_size=1, max_size=3)),
        st.builds(
            at_least, st.just(2), st.lists(inner, min_size=3, max_size=4, unique=True), st.sampled_from([0, 90])
        ),
        st.builds(timed, inner.filter(lambda part: part.op != "timed"), not_before=st.just(dt.time(3))),
        st.builds(timed, inner.filter(lambda part: part.op != "timed"), deadline=st.just(dt.time(6, 30))),
    ),
    max_leaves=8,
)


def _all(*parts: Condition) -> Condition:
    return combine("all", list(parts))


def _any(*parts: Condition) -> Condition:
    return combine("any", list(parts))


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (A, "a.t"),
        (_all(B, A), "a.t & b.t"),
        (_any(B, A), "a.t | b.t"),
        (_all(_any(B, C), A), "a.t & (b.t | c.t)"),
        (_any(_all(A, B), C), "c.t | a.t & b.t"),
        (_all(_any(D, C), _any(B, A)), "(a.t | b.t) & (c.t | d.t)"),
        (_any(_all(_any(A, B), C), D), "d.t | c.t & (a.t | b.t)"),
        (at_least(2, [C, A, B]), "at_least(2, a.t, b.t, c.t)"),
        (at_least(2, [C, _all(A, B), _any(A, B)], 1800), "at_least(2, c.t, a.t & b.t, a.t | b.t, grace=30m)"),
        (_all(at_least(1, [B, A], 5400), C), "c.t & at_least(1, a.t, b.t, grace=90m)"),
        (timed(A, not_before=dt.time(3)), "a.t.not_before(03:00)"),
        (timed(_any(B, A), deadline=dt.time(6, 30)), "(a.t | b.t).deadline(06:30)"),
        (
            timed(_all(B, A), not_before=dt.time(0), deadline=dt.time(6, 30), on="skip"),
            "(a.t & b.t).not_before(00:00).deadline(06:30, on=skip)",
        ),
        (_any(timed(A, not_before=dt.time(3)), B), "b.t | a.t.not_before(03:00)"),
    ],
)
def test_a_condition_has_one_text(condition: Condition, text: str) -> None:
    assert condition.text == text


def test_nested_conditions_of_one_kind_are_flat() -> None:
    assert _all(A, _all(B, _all(C, D))) == _all(_all(_all(A, B), C), D) == _all(A, B, C, D)
    assert all(part.op == "source" for part in _any(A, _any(B, C)).parts)


def test_a_source_that_is_named_twice_counts_once() -> None:
    assert _all(A, B, A) == _all(A, B)
    assert _any(A, A) == A
    assert _all(_any(A, B), _any(B, A)) == _any(A, B)


@given(ops, st.lists(conditions, min_size=1, max_size=4), st.data())
def test_the_order_in_which_it_is_written_does_not_matter(
    op: Literal["all", "any"], parts: list[Condition], data: st.DataObject
) -> None:
    shuffled = combine(op, data.draw(st.permutations(parts)))
    assert shuffled == combine(op, parts)
    assert shuffled.text == combine(op, parts).text


@given(ops, conditions, conditions, conditions)
def test_the_way_in_which_it_is_grouped_does_not_matter(
    op: Literal["all", "any"], one: Condition, two: Condition, three: Condition
) -> None:
    left = combine(op, [combine(op, [one, two]), three])
    assert left == combine(op, [one, combine(op, [two, three])]) == combine(op, [one, two, three])


def _nodes(condition: Condition) -> Iterator[Condition]:
    yield condition
    for part in condition.parts:
        yield from _nodes(part)


@given(conditions)
def test_no_part_is_of_the_kind_of_the_whole_and_all_are_sorted(condition: Condition) -> None:
    for node in _nodes(condition):
        assert node.op not in {part.op for part in node.parts} - {"source", "at_least"}
        assert len(node.parts) == len(set(node.parts))
        assert (len(node.parts) == 1) == (node.op == "timed")
        assert list(node.parts) == sorted(node.parts, key=lambda part: (part.op != "source", part.text))


@given(conditions, conditions)
def test_two_conditions_have_one_text_only_if_they_are_the_same(one: Condition, two: Condition) -> None:
    assert (one.text == two.text) == (one == two)


@given(conditions)
def test_a_condition_comes_back_from_its_json(condition: Condition) -> None:
    assert from_json(json.loads(json.dumps(condition.to_json()))) == condition


def test_json_that_somebody_else_wrote_is_brought_into_the_canonical_form() -> None:
    written = {"all": ["b.t", {"all": ["a.t", "b.t"]}, {"any": ["d.t", "c.t"]}]}
    assert from_json(written).to_json() == {"all": ["a.t", "b.t", {"any": ["c.t", "d.t"]}]}


@given(conditions)
def test_the_sources_are_those_in_the_text_sorted_each_once(condition: Condition) -> None:
    assert list(condition.sources) == sorted(set(re.findall(r"[abcd]\.t", condition.text)))


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        [],
        ["a.t"],
        {},
        {"all": "a.t"},
        {"none": ["a.t"]},
        {"all": ["a.t"], "any": ["b.t"]},
        {"any": [None]},
        {"at_least": ["a.t", "b.t"]},
        {"at_least": {"n": 1}},
        {"at_least": {"n": 1, "of": "a.t"}},
        {"at_least": {"n": 2, "of": ["a.t", "b.t", "c.t"], "more": 1}},
        {"timed": {"not_before": "03:00"}},
        {"timed": {"of": "a.t", "after": "03:00"}},
    ],
)
def test_what_is_no_condition_is_told(value: object) -> None:
    with pytest.raises(BadCondition, match="is not a condition"):
        from_json(value)


def test_a_condition_of_no_source_is_none() -> None:
    with pytest.raises(BadCondition, match="at least one source"):
        from_json({"all": []})


def test_a_bad_name_within_a_condition_is_told() -> None:
    with pytest.raises(BadName, match="'sales'"):
        from_json({"all": ["a.t", {"any": ["b.t", "sales"]}]})


def test_a_condition_is_at_most_as_long_as_the_name_of_an_asset() -> None:
    # 9 characters each and 3 between them, so 125 of them make 1497
    sources = [of_source(f"db.t{number:05}") for number in range(125)]
    longest = combine("all", sources)
    assert len(longest.text) == 1497 <= MAX_TEXT
    with pytest.raises(BadCondition) as caught:
        combine("all", [*sources, of_source("db.t99999")])
    assert "126 sources is 1509 characters" in str(caught.value)
    assert "split the flow" in str(caught.value)


def test_every_way_to_write_four_sources_gives_one_condition() -> None:
    ways = {_all(*order[:2], _all(*order[2:])) for order in itertools.permutations([A, B, C, D])}
    assert len(ways) == 1


def test_at_least_all_or_one_is_what_it_always_was() -> None:
    assert at_least(2, [A, B]) == _all(A, B)
    assert at_least(1, [A, B]) == _any(A, B)
    assert at_least(2, [A, B], 60) == _all(A, B), "there is nothing left to wait for"
    assert at_least(1, [A], 60) == A
    assert at_least(2, [A, B, A]) == _all(A, B), "named twice it counts once"


@pytest.mark.parametrize("n", [0, -1, 3, True, 1.0, "2", None])
def test_at_least_of_a_number_that_cannot_be_is_told(n: Any) -> None:
    with pytest.raises(BadCondition, match=r"of 2 different sources: give a whole number from 1"):
        at_least(n, [A, B])


def test_times_are_given_one_after_the_other_in_any_order() -> None:
    whole = timed(A, not_before=dt.time(3), deadline=dt.time(6), on="skip")
    assert timed(timed(A, not_before=dt.time(3)), deadline=dt.time(6), on="skip") == whole
    assert timed(timed(A, deadline=dt.time(6), on="skip"), not_before=dt.time(3)) == whole
    assert from_json(
        {"timed": {"of": {"timed": {"of": "a.t", "not_before": "03:00"}}, "deadline": "06:00"}}
    ) == (timed(A, not_before=dt.time(3), deadline=dt.time(6)))
    assert timed(A) == A


def test_a_time_that_is_given_twice_is_told() -> None:
    with pytest.raises(BadCondition, match=r"a\.t\.not_before\(03:00\) has a not_before already"):
        timed(timed(A, not_before=dt.time(3)), not_before=dt.time(4))
    with pytest.raises(BadCondition, match="has a deadline already"):
        timed(timed(A, deadline=dt.time(0)), deadline=dt.time(4))


def test_a_deadline_before_not_before_is_told() -> None:
    with pytest.raises(BadCondition, match="the deadline 02:00 is before not_before 03:00"):
        timed(timed(A, not_before=dt.time(3)), deadline=dt.time(2))
    assert timed(A, not_before=dt.time(3), deadline=dt.time(3)).own_times


def test_a_part_cannot_skip_the_whole() -> None:
    skips = timed(A, deadline=dt.time(6), on="skip")
    joins: list[Callable[[], Condition]] = [
        lambda: _all(skips, B),
        lambda: _any(B, _all(C, skips)),
        lambda: at_least(2, [skips, B, C]),
    ]
    for join in joins:
        with pytest.raises(BadCondition, match=r"write \.deadline\(…, on='skip'\) behind the whole"):
            join()


def test_only_conditions_with_times_of_their_own_have_own_times() -> None:
    assert not _all(A, _any(B, at_least(2, [A, C, D]))).own_times
    assert _all(A, _any(B, at_least(2, [A, C, D], 60))).own_times
    assert _any(A, timed(B, deadline=dt.time(6))).own_times


@pytest.mark.parametrize(
    "value",
    [
        {"timed": {"of": "a.t", "not_before": "3:00"}},
        {"timed": {"of": "a.t", "not_before": 3}},
        {"timed": {"of": "a.t", "deadline": "24:00"}},
        {"timed": {"of": "a.t", "deadline": "06:00", "on": "fail"}},
        {"timed": {"of": "a.t", "deadline": "06:00", "on": ["run"]}},
        {"at_least": {"n": 2, "of": ["a.t", "b.t", "c.t"], "grace": "30m"}},
        {"at_least": {"n": 2, "of": ["a.t", "b.t", "c.t"], "grace": -1}},
        {"at_least": {"n": "2", "of": ["a.t", "b.t", "c.t"]}},
        {"at_least": {"of": ["a.t", "b.t", "c.t"]}},
    ],
)
def test_json_with_a_value_that_cannot_be_is_told(value: object) -> None:
    with pytest.raises(BadInput):
        from_json(value)


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        ("", "a.t b.t c.t"),
        ("a.t", "b.t c.t"),
        ("c.t", "a.t"),
        ("a.t b.t", ""),
    ],
)
def test_of_alternatives_none_is_missing_once_one_is_there(there: str, missing: str) -> None:
    a, b, c = (of_source(name) for name in ("a.t", "b.t", "c.t"))
    condition = combine("all", [a, combine("any", [b, c])])
    assert condition.missing(there.split()) == set(missing.split())


def test_of_so_many_the_others_are_missing_within_the_grace_only() -> None:
    parts = [of_source(name) for name in ("a.t", "b.t", "c.t")]
    assert at_least(2, parts).missing(["a.t"]) == {"b.t", "c.t"}
    assert at_least(2, parts).missing(["a.t", "b.t"]) == set()
    assert at_least(2, parts, 60).missing(["a.t", "b.t"]) == {"c.t"}
