"""The JSON documents of Redis and of asset events."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_readiness.core.condition import Condition, Verdict, combine, from_json, of_source
from airflow_readiness.core.document import (
    Launch,
    dump_readiness,
    load_launch,
    load_readiness,
    readiness_to_json,
)
from airflow_readiness.core.state import Action, ByHand, OnDeadline, Outcome, Readiness, State
from airflow_readiness.errors import BadDocument

NAMES = ("a.t", "b.t", "c.t")
UTC = dt.timezone.utc
DAY = dt.date(2026, 11, 22)

instants = st.datetimes(
    dt.datetime(1990, 1, 1),  # noqa: DTZ001
    dt.datetime(2100, 1, 1),  # noqa: DTZ001
    # fixed offsets: Python never holds a time that a clock change skips for equal to an instant
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes))),
)
counts = st.integers(0, 10**6)


def _readiness(names: st.SearchStrategy[str]) -> st.SearchStrategy[Readiness]:
    return st.builds(
        Readiness,
        names,
        st.dates(),
        st.sampled_from(State),
        instants,
        counts,
        counts,
        ready_at=instants | st.none(),
        configured=st.booleans(),
        by_hand=st.builds(ByHand, st.sampled_from(Action), st.text(), instants, st.text()) | st.none(),
        on_deadline=st.sampled_from(OnDeadline),
    )


conditions: st.SearchStrategy[Condition] = st.recursive(
    st.sampled_from(NAMES).map(of_source),
    lambda inner: st.builds(combine, st.sampled_from(["all", "any"]), st.lists(inner, min_size=1, max_size=3)),
    max_leaves=5,
)
launches = st.builds(
    Launch,
    conditions,
    st.dates(),
    st.fixed_dictionaries({}, optional={name: _readiness(st.just(name)) for name in NAMES}),
    decided_at=instants | st.none(),
    due_at=instants | st.none(),
    published_at=instants | st.none(),
    verdict=st.sampled_from(Verdict) | st.none(),
    rerun=st.integers(0, 9),
)

GOOD = readiness_to_json(Readiness("a.t", DAY, State.WAITING, dt.datetime(2026, 11, 22, 6, tzinfo=UTC), 0, 1))
GOOD_LAUNCH = {"condition": {"all": ["a.t", "b.t"]}, "business_date": "2026-11-22", "sources": {"a.t": GOOD}}
#: Fields that a document of an earlier release may not have.
NEWEST = ("ready_at", "configured", "outcome", "on_deadline")
LOADERS = [(load_readiness, GOOD), (load_launch, GOOD_LAUNCH)]


@given(_readiness(st.sampled_from(NAMES)))
def test_a_readiness_comes_back_from_redis(known: Readiness) -> None:
    assert load_readiness(dump_readiness(known)) == known
    assert load_readiness(dump_readiness(known).encode()) == known
    assert load_readiness(readiness_to_json(known)) == known


@given(launches)
def test_a_launch_comes_back_from_an_event(launch: Launch) -> None:
    assert load_launch(json.dumps(launch.to_json())) == launch
    assert load_launch(launch.to_json()) == launch


def test_the_document_in_redis_is_what_its_readers_expect() -> None:
    berlin = dt.timezone(dt.timedelta(hours=1))
    known = Readiness(
        "hive.sales",
        DAY,
        State.LATE,
        dt.datetime(2026, 11, 22, 6, tzinfo=berlin),
        log_count=3,
        needed=2,
        ready_at=dt.datetime(2026, 11, 22, 7, 30, tzinfo=berlin),
    )
    assert json.loads(dump_readiness(known)) == {
        "source": "hive.sales",
        "business_date": "2026-11-22",
        "state": "late",
        "outcome": "ready",
        "deadline_at": "2026-11-22T05:00:00+00:00",
        "log_count": 3,
        "needed": 2,
        "ready_at": "2026-11-22T06:30:00+00:00",
        "configured": True,
        "on_deadline": "run",
    }


def test_what_an_operator_said_is_in_it_only_if_somebody_did() -> None:
    said = ByHand(Action.SKIP, "eve", dt.datetime(2026, 11, 22, 5, tzinfo=UTC), "the loader is broken")
    deadline = dt.datetime(2026, 11, 22, 6, tzinfo=UTC)
    document = readiness_to_json(Readiness("a.t", DAY, State.MISSED, deadline, 0, 1, by_hand=said))
    assert document["outcome"] == "skipped"
    assert document["by_hand"] == {
        "action": "skip",
        "by": "eve",
        "at": "2026-11-22T05:00:00+00:00",
        "reason": "the loader is broken",
    }
    said_so = document["by_hand"]
    wrongs: list[object] = [{}, [], "skip", {**said_so, "at": None}, {**said_so, "action": "x"}]
    for wrong in wrongs:
        with pytest.raises(BadDocument, match="does not parse"):
            load_readiness({**document, "by_hand": wrong})


def test_the_newest_fields_may_be_missing_from_an_old_document() -> None:
    old = {name: value for name, value in GOOD.items() if name not in NEWEST}
    assert load_readiness(old) == load_readiness(GOOD)


def test_an_instant_may_be_written_with_z() -> None:
    assert load_readiness({**GOOD, "deadline_at": "2026-11-22T06:00:00Z"}) == load_readiness(GOOD)


def test_the_outcomes_are_those_of_the_sources_of_the_condition() -> None:
    def known(name: str, state: State) -> Readiness:
        return Readiness(name, DAY, state, dt.datetime(2026, 11, 22, 6, tzinfo=UTC), 0, 1)

    launch = Launch(
        from_json({"any": ["a.t", "b.t", "c.t", "d.t"]}),
        DAY,
        {
            "a.t": known("a.t", State.LATE),
            "b.t": known("b.t", State.MISSED),
            "c.t": known("c.t", State.WAITING),
            "x.t": known("x.t", State.READY),
        },
    )
    assert launch.outcomes == {
        "a.t": Outcome.READY,
        "b.t": Outcome.DEADLINE,
        "c.t": Outcome.PENDING,
        "d.t": Outcome.PENDING,
    }


@pytest.mark.parametrize(
    ("state", "by_deadline"),
    [(State.MISSED, True), (State.READY, False), (State.LATE, False), (State.WAITING, False)],
)
def test_a_launch_is_by_deadline_if_a_source_was_missed(state: State, by_deadline: bool) -> None:
    known = Readiness("a.t", DAY, state, dt.datetime(2026, 11, 22, 6, tzinfo=UTC), 0, 1)
    assert Launch(from_json({"all": ["a.t", "b.t"]}), DAY, {"a.t": known}).by_deadline is by_deadline


def test_a_launch_is_by_deadline_if_it_was_the_flows_own() -> None:
    known = Readiness("a.t", DAY, State.WAITING, dt.datetime(2026, 11, 22, 6, tzinfo=UTC), 0, 1)
    condition = from_json({"timed": {"of": "a.t", "deadline": "05:00"}})
    assert Launch(condition, DAY, {"a.t": known}, verdict=Verdict.MISSED).by_deadline
    assert not Launch(condition, DAY, {"a.t": known}, verdict=Verdict.READY).by_deadline


@pytest.mark.parametrize("verdict", [None, *Verdict])
def test_what_is_skipped_or_fails_starts_nothing(verdict: Verdict | None) -> None:
    launch = Launch(from_json("a.t"), DAY, {}, verdict=verdict)
    assert launch.starts is (verdict in (None, Verdict.READY, Verdict.MISSED))


def test_a_launch_of_an_earlier_release_starts_its_flows() -> None:
    assert load_launch(GOOD_LAUNCH).verdict is None
    assert load_launch(GOOD_LAUNCH).starts


BAD_VALUES: list[tuple[str, object]] = [
    ("source", "sales"),
    ("source", None),
    ("business_date", "22.11.2026"),
    ("business_date", None),
    ("state", "done"),
    ("state", ["ready"]),
    ("deadline_at", None),
    ("deadline_at", "2026-11-22T06:00:00"),
    ("deadline_at", "soon"),
    ("deadline_at", 1795327200),
    ("deadline_at", "0001-01-01T00:00:00+05:00"),
    ("ready_at", "2026-11-22T06:00:00"),
    ("log_count", -1),
    ("log_count", True),
    ("log_count", "3"),
    ("needed", 1.5),
    ("on_deadline", "stop"),
    ("on_deadline", None),
]


@pytest.mark.parametrize(("field", "value"), BAD_VALUES)
def test_a_value_that_cannot_be_is_told(field: str, value: object) -> None:
    with pytest.raises(BadDocument, match="does not parse"):
        load_readiness({**GOOD, field: value})


@pytest.mark.parametrize("field", ["source", "business_date", "state", "deadline_at", "log_count", "needed"])
def test_a_missing_field_is_named(field: str) -> None:
    with pytest.raises(BadDocument, match=f"KeyError: '{field}'"):
        load_readiness({name: value for name, value in GOOD.items() if name != field})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("condition", None),
        ("condition", {"all": []}),
        ("condition", "sales"),
        ("condition", "[" * 100),
        ("business_date", "2026-02-30"),
        ("sources", None),
        ("sources", ["a.t"]),
        ("sources", {"a.t": {**GOOD, "state": "done"}}),
        ("decided_at", "2026-11-22T06:00:00"),
        ("due_at", 5),
        ("published_at", "9999-12-31T23:59:59-05:00"),
        ("verdict", "done"),
        ("verdict", ["ready"]),
        ("rerun", -1),
        ("rerun", None),
    ],
)
def test_a_launch_with_a_value_that_cannot_be_is_told(field: str, value: object) -> None:
    with pytest.raises(BadDocument, match="does not parse"):
        load_launch({**GOOD_LAUNCH, field: value})


@pytest.mark.parametrize("raw", ["", "{", b"\xff", "[1]", "null", "7", '"a.t"', "[" * 100_000])
def test_what_is_no_json_object_is_told_and_never_at_length(raw: str | bytes) -> None:
    for load, _ in LOADERS:
        with pytest.raises(BadDocument, match=r"is not (JSON|a JSON object)") as caught:
            load(raw)
        assert len(str(caught.value)) < 400


def test_conditions_nested_beyond_reason_are_told() -> None:
    depth = 5000
    nested = '{"all":[' * depth + '"a.t"' + "]}" * depth
    with pytest.raises(BadDocument):
        load_launch(json.dumps(GOOD_LAUNCH).replace('{"all": ["a.t", "b.t"]}', nested))


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(NAMES),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["all", "any", *NAMES, *GOOD]) | st.text(max_size=3), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@given(st.sampled_from(LOADERS), st.data(), json_values)
def test_whatever_stands_in_a_field_either_loads_or_is_told(
    loader: tuple[Any, dict[str, Any]], data: st.DataObject, value: object
) -> None:
    load, good = loader
    field = data.draw(st.sampled_from(sorted(good)))
    document = {**good, field: value}
    try:
        loaded = load(json.dumps(document))
    except BadDocument as error:
        assert "it will be written anew" in str(error)
    else:
        assert load(document) == loaded


@given(st.sampled_from(LOADERS), st.integers(0, 400), st.binary(max_size=4))
@example(LOADERS[0], 0, b"")
def test_a_torn_document_is_told(loader: tuple[Any, dict[str, Any]], length: int, rubbish: bytes) -> None:
    load, good = loader
    whole = json.dumps(good).encode()
    torn = whole[: min(length, len(whole) - 1)] + rubbish
    try:
        loaded = load(torn)
    except BadDocument as error:
        assert "it will be written anew" in str(error)
    else:
        # the rubbish was the very end of it
        assert loaded == load(whole)
