"""What a DAG author writes beside ``&`` and ``|``: ``at_least``, ``.not_before`` and ``.deadline``."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import Asset, AssetAll, AssetAny
from airflow.sdk.definitions.asset import BaseAsset

from airflow_readiness import at_least, ready, source
from airflow_readiness.errors import BadCondition, BadInput
from airflow_readiness.expression import condition_of

A, B, C = source("a.t"), source("b.t"), source("c.t")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (at_least(2, A, B, C), "at_least(2, a.t, b.t, c.t)"),
        (at_least(2, A, B, C, grace="30m"), "at_least(2, a.t, b.t, c.t, grace=30m)"),
        (at_least(2, A, B & C, A | C, grace="90s"), "at_least(2, a.t, b.t & c.t, a.t | c.t, grace=90s)"),
        (at_least(1, A, B) & C, "c.t & (a.t | b.t)"),
        (A & at_least(2, B, C, A), "a.t & at_least(2, a.t, b.t, c.t)"),
        (at_least(2, A, B, C) | A & B, "a.t & b.t | at_least(2, a.t, b.t, c.t)"),
        (A.not_before("03:00"), "a.t.not_before(03:00)"),
        ((A & B).not_before("03:00").deadline("06:30"), "(a.t & b.t).not_before(03:00).deadline(06:30)"),
        ((A | B).deadline("06:30", on="skip"), "(a.t | b.t).deadline(06:30, on=skip)"),
        (at_least(2, A, B, C).deadline("06:30"), "at_least(2, a.t, b.t, c.t).deadline(06:30)"),
        (A.not_before("03:00") & B | C, "c.t | a.t.not_before(03:00) & b.t"),
        # what somebody joined by Airflow's own means
        (AssetAll(A, AssetAny(B, C)) & at_least(2, A, B, C), "a.t & (b.t | c.t) & at_least(2, a.t, b.t, c.t)"),
    ],
)
def test_it_stands_for_one_condition(written: BaseAsset, text: str) -> None:
    assert sorted(condition_of(written).text) == sorted(text)
    assert ready(written)


def test_a_chain_of_ands_or_ors_is_one_node_of_the_asset_graph() -> None:
    whole = functools.reduce(operator.and_, [A, B, C, A | B])
    assert isinstance(whole, AssetAll)
    assert list(whole.objects) == [A, B, C, A | B]
    assert isinstance(A | B | C, AssetAny)


def test_a_source_is_still_the_asset_that_it_was() -> None:
    plain = Asset(name="a.t", uri="readiness://a/t", group="readiness")
    assert plain == A
    assert A == plain
    assert hash(A) == hash(plain)
    assert isinstance(A, Asset)
    assert list((A & B).objects) == [A, B]


def test_different_conditions_are_different_although_airflow_draws_them_alike() -> None:
    assert at_least(2, A, B, C) == at_least(2, C, B, A)
    assert at_least(2, A, B, C) != at_least(2, A, B, C, grace="1m")
    assert A.not_before("03:00") != A.not_before("04:00")
    assert hash(at_least(2, A, B, C)) == hash(at_least(2, C, B, A))
    assert AssetAny(A, B, C) != at_least(2, A, B, C)
    assert "at_least(2" in repr(at_least(2, A, B, C))


BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: at_least(3, A, B), r"at_least\(3, …\) of 2 different sources"),
    (lambda: at_least(2, A, A), r"of 1 different sources"),
    (lambda: at_least(0, A), "give a whole number from 1"),
    (lambda: at_least(2, A, B, C, grace="half an hour"), "'half an hour' is not a span of time: write '30m'"),
    (lambda: at_least(2, A, B, C, grace="25h"), "24 hours at the most"),
    (lambda: at_least(2, A, B, C, grace="0m"), "'0m' is not a span"),
    (lambda: at_least(1, A, "b.t"), r"ready\(\) got 'b.t': give it source"),  # type: ignore[arg-type]
    (lambda: at_least(1, A, Asset("b.t")), r"give it source\('database.table'\)"),
    (lambda: A.not_before("3"), "'3' is not a time of day: write it as HH:MM"),
    (lambda: A.not_before("24:00"), "'24:00' is not a time of day"),
    (lambda: A.deadline("06:60"), "'06:60' is not a time of day"),
    (lambda: A.deadline("06:00", on="fail"), r"on='fail' at a deadline: write on='run'"),  # type: ignore[arg-type]
    (lambda: A.deadline("06:00").deadline("07:00"), "has a deadline already"),
    (lambda: A.not_before("06:00").deadline("05:00"), "before not_before 06:00"),
    (lambda: condition_of(A.deadline("06:00", on="skip") & B), "decides for the whole flow"),
    (lambda: (A & Asset("s3://x")).not_before("03:00"), r"give it source\('database.table'\)"),
]


@pytest.mark.parametrize(("write", "message"), BAD)
def test_what_cannot_be_is_told_where_it_is_written(write: Callable[[], Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        write()


def test_what_is_no_asset_cannot_be_joined() -> None:
    for join in (operator.and_, operator.or_):
        for part in (A, A & B, A | B, at_least(2, A, B, C), A.not_before("03:00")):
            with pytest.raises(TypeError, match="unsupported operand"):
                join(part, "b.t")


def test_a_condition_too_long_for_airflow_is_told() -> None:
    many = [source(f"database.table_{number:04}") for number in range(80)]
    with pytest.raises(BadCondition, match="80 sources is 1702 characters"):
        at_least(2, *many, grace="30m").deadline("06:00")
