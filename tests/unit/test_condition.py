"""Conditions: their one canonical form, their text, their JSON."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_readiness.core.condition import MAX_TEXT, Condition, combine, from_json, of_source
from airflow_readiness.errors import BadCondition, BadName

A, B, C, D = (of_source(f"{letter}.t") for letter in "abcd")

ops: st.SearchStrategy[Literal["all", "any"]] = st.sampled_from(["all", "any"])
conditions: st.SearchStrategy[Condition] = st.recursive(
    st.sampled_from([A, B, C, D]),
    lambda inner: st.builds(combine, ops, st.lists(inner, min_size=1, max_size=3)),
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
        assert node.op not in {part.op for part in node.parts} - {"source"}
        assert len(node.parts) == len(set(node.parts)) != 1
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
    names = set(condition.text.replace("(", " ").replace(")", " ").split()) - {"&", "|"}
    assert list(condition.sources) == sorted(names)


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
