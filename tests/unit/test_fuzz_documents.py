"""Ten thousand documents of every kind: each is a value that comes back as it was, or a BadDocument."""

from __future__ import annotations

import copy
import datetime as dt
import json
import random
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from airflow_readiness.core.condition import Verdict, combine, of_source
from airflow_readiness.core.document import (
    Launch,
    dump_readiness,
    load_launch,
    load_readiness,
    readiness_to_json,
)
from airflow_readiness.core.state import Action, ByHand, Readiness, State
from airflow_readiness.errors import BadDocument

COUNT = 10_000
DAY = dt.date(2026, 11, 22)
AT = dt.datetime(2026, 11, 22, 6, tzinfo=dt.timezone.utc)

Load: TypeAlias = Callable[[Any], Any]
Dump: TypeAlias = Callable[[Any], str]


def _dump_launch(launch: Launch) -> str:
    return json.dumps(launch.to_json())


SAID = ByHand(Action.MARK_READY, "eve", AT, "I looked")
KNOWN = Readiness("hive.sales", DAY, State.READY, AT, 3, 2, AT, configured=True, by_hand=SAID)
CONDITION = combine("all", [of_source("hive.sales"), combine("any", [of_source("a.b"), of_source("c.d")])])
LAUNCH = Launch(
    CONDITION, DAY, {"hive.sales": KNOWN}, decided_at=AT, due_at=AT, published_at=AT, verdict=Verdict.READY
)
KINDS: list[tuple[Load, Dump, dict[str, Any]]] = [
    (load_readiness, dump_readiness, readiness_to_json(KNOWN)),
    (load_launch, _dump_launch, LAUNCH.to_json()),
]
kinds = pytest.mark.parametrize(("load", "dump", "good"), KINDS, ids=["readiness", "launch"])

SCALARS: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 10**30, 10**400, 1.5, -0.0, 1e308, float("nan"), float("inf")),
    *(
        "",
        " ",
        "ready",
        "READY",
        "missed",
        "hive.sales",
        "hive.sales.x",
        "hive.",
        ".",
        "x" * 5000,
        "é.é",
        "\ud800",
    ),
    *("2026-11-22", "2026-W47-7", "2026-02-30", "20261122", "0001-01-01", "9999-12-31", "infinity", "today"),
    *(
        "2026-11-22T06:00:00+00:00",
        "2026-11-22T06:00:00",
        "2026-11-22T06:00:00Z",
        "ZZ",
        "2026-11-22 06:00+23:59",
    ),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-22T06:00:00.1234567+00:00:30"),
    *([], {}, [[]], {"all": []}, {"any": ["a.b"]}, {"all": ["a.b", {"any": ["c.d", 1]}]}, {"hive.sales": {}}),
]


def never_worse(load: Load, dump: Dump, raw: Any) -> bool:
    """Whether a document is accepted; then it comes back as it was, else it is told, at no length."""
    try:
        value = load(raw)
    except BadDocument as error:
        assert "it will be written anew" in str(error)
        assert len(str(error)) < 1000
        return False
    assert load(dump(value)) == value
    assert load(dump(value).encode()) == value
    return True


def places(document: Any) -> list[tuple[Any, Any]]:
    """Every place in a document: what holds it, and its key or index."""
    found: list[tuple[Any, Any]] = []
    pairs = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in list(pairs):
        found.append((document, key))
        if isinstance(value, (dict, list)):
            found += places(value)
    return found


def mutate(dice: random.Random, good: dict[str, Any]) -> dict[str, Any]:
    """A good document with one to three things wrong, or merely different."""
    document: dict[str, Any] = json.loads(json.dumps(good))
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        holder, key = dice.choice(places(document) or [(document, "source")])
        what = dice.random()
        if what < 0.6:
            holder[key] = copy.deepcopy(dice.choice(SCALARS))
        elif what < 0.75:
            del holder[key]
        elif isinstance(holder, dict):
            # a value under another's name, or one that nobody knows
            other = dice.choice([*good, "unknown", "", "a.b", "any", "all"])
            holder[other] = copy.deepcopy(holder[key])
        else:
            holder.append(copy.deepcopy(dice.choice(SCALARS)))
    return document


@kinds
def test_of_the_documents_with_something_wrong_each_loads_or_is_told(
    load: Load, dump: Dump, good: dict[str, Any]
) -> None:
    dice = random.Random(1)
    accepted = 0
    for _ in range(COUNT):
        document = mutate(dice, good)
        as_read = never_worse(load, dump, document)
        accepted += never_worse(load, dump, json.dumps(document))
        # the same whether it comes from Redis or from a column of Postgres
        assert as_read is never_worse(load, dump, json.dumps(document).encode())
    assert COUNT / 50 < accepted < COUNT, "of both kinds there are many"


@kinds
def test_of_the_documents_with_broken_bytes_each_loads_or_is_told(
    load: Load, dump: Dump, good: dict[str, Any]
) -> None:
    dice = random.Random(2)
    whole = json.dumps(good).encode()
    for _ in range(COUNT):
        raw = bytearray(whole)
        for _ in range(dice.randrange(1, 4)):
            place = dice.randrange(len(raw) + 1)
            what = dice.random()
            if what < 0.4:
                raw[place : place + 1] = dice.randbytes(1)
            elif what < 0.6:
                del raw[place : place + dice.randrange(1, 40)]
            elif what < 0.8:
                raw[place:place] = dice.randbytes(dice.randrange(4))
            else:
                raw[place:place] = raw[: dice.randrange(60)]
        never_worse(load, dump, bytes(raw))


@kinds
def test_of_any_bytes_whatever_each_is_told(load: Load, dump: Dump, good: dict[str, Any]) -> None:
    dice = random.Random(3)
    for _ in range(COUNT):
        assert not never_worse(load, dump, dice.randbytes(dice.randrange(60)))


@kinds
@pytest.mark.parametrize("depth", [5, 100, 300, 450, 600, 900, 2000])
def test_what_is_nested_beyond_reason_is_told(load: Load, dump: Dump, good: dict[str, Any], depth: int) -> None:
    nested: Any = "a.b"
    for level in range(depth):
        nested = {"all" if level % 2 else "any": [nested, f"a.b{level}"]}
    for field in good:
        never_worse(load, dump, {**good, field: nested})
        never_worse(load, dump, {**good, "more": nested, field: None})


@pytest.mark.parametrize("value", ["false", 0, 1, None, [], "no"])
def test_a_flag_is_true_or_false(value: object) -> None:
    with pytest.raises(BadDocument, match="neither true nor false"):
        load_readiness({**readiness_to_json(KNOWN), "configured": value})


def test_what_is_known_of_one_source_is_never_taken_for_another() -> None:
    document = LAUNCH.to_json()
    document["sources"] = {"a.b": readiness_to_json(KNOWN)}
    with pytest.raises(BadDocument, match=r"'a\.b' is of 'hive\.sales'"):
        load_launch(document)


def test_what_is_wrong_is_never_told_at_length() -> None:
    for field in ("source", "business_date", "state", "deadline_at", "log_count"):
        with pytest.raises(BadDocument) as caught:
            load_readiness({**readiness_to_json(KNOWN), field: ["x" * 100_000]})
        assert len(str(caught.value)) < 1000
