"""Names of sources, their assets' URIs, their keys in Redis."""

from __future__ import annotations

import datetime as dt
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_readiness.core import names
from airflow_readiness.core.names import (
    launch_key,
    launch_name,
    launch_uri,
    source_key,
    source_uri,
    split_source,
)
from airflow_readiness.errors import BadName

_FIRST = string.ascii_letters + string.digits + "_"
_REST = _FIRST + "$-"

parts = st.builds(str.__add__, st.sampled_from(_FIRST), st.text(_REST, max_size=12))
source_names = st.builds("{}.{}".format, parts, parts)


def _is_part(text: str) -> bool:
    """The rule once more, without the pattern."""
    return bool(text) and text[0] in _FIRST and all(letter in _REST for letter in text)


@given(parts, parts)
def test_two_parts_of_the_allowed_letters_are_a_source_name(database: str, table: str) -> None:
    assert split_source(f"{database}.{table}") == (database, table)


@given(st.text(st.sampled_from(_REST + ".  \néß/:%"), max_size=9) | st.text(max_size=9))
@example("a.b\n")
@example("a.b.c")
@example("-a.b")
@example("٣.b")
@example(".")
def test_a_text_is_a_source_name_only_if_it_is_two_such_parts(text: str) -> None:
    expected = text.split(".")
    if len(expected) == 2 and all(map(_is_part, expected)):
        assert split_source(text) == tuple(expected)
    else:
        with pytest.raises(BadName):
            split_source(text)


@pytest.mark.parametrize("value", ["sales", "", "a..b", "a b.c", None, 7, ["a.b"], b"a.b"])
def test_a_bad_name_is_told_with_its_value_and_the_remedy(value: object) -> None:
    with pytest.raises(BadName) as caught:
        split_source(value)
    assert repr(value) in str(caught.value)
    assert "'database.table'" in str(caught.value)


def test_the_uri_of_a_source_names_its_database_and_its_table() -> None:
    assert source_uri("hive.sales") == "readiness://hive/sales"


def test_there_is_no_uri_for_what_is_no_source_name() -> None:
    with pytest.raises(BadName):
        source_uri("hive")


def test_the_key_of_a_source_is_the_one_the_order_asks_for() -> None:
    assert source_key("hive.sales", "2026-11-22") == "readiness:hive.sales:2026-11-22"


def test_a_launch_has_the_same_key_and_uri_in_every_release() -> None:
    text = "hive.sales & hive.stores"
    assert launch_uri(text) == "readiness-launch://condition/8a91cf15286ba34aca13"
    assert launch_key(text, "2026-11-22") == "readiness:launch:8a91cf15286ba34aca13:2026-11-22"


@given(source_names)
def test_no_launch_has_the_name_of_a_source(name: str) -> None:
    assert launch_name(f"{name} & x.y", single=False) == f"{name} & x.y"
    with pytest.raises(BadName):
        split_source(launch_name(name, single=True))


@given(st.sets(source_names, min_size=2, max_size=2))
def test_two_conditions_have_two_keys(pair: set[str]) -> None:
    one, other = pair
    assert launch_key(one, "2026-11-22") != launch_key(other, "2026-11-22")
    assert source_key(one, "2026-11-22") != source_key(other, "2026-11-22")


@given(source_names, st.dates(), st.text(max_size=20), st.dates())
@example("launch.x", dt.date(2026, 11, 22), "launch.x", dt.date(2026, 11, 22))
def test_no_source_has_the_key_of_a_launch_or_of_the_snapshot(
    name: str, day: dt.date, condition: str, other_day: dt.date
) -> None:
    key = source_key(name, day.isoformat())
    assert key not in (launch_key(condition, other_day.isoformat()), names.SNAPSHOT_KEY)
    assert not key.startswith(f"{names.KEY_PREFIX}launch:")
    assert key.startswith(names.KEY_PREFIX)
