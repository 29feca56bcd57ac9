"""Named settings beside the seven: versioned as those, each kept until it is said anew, in force at once."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_readiness.core.settings import WEEKDAYS, parse_calendar
from airflow_readiness.errors import BadInput
from airflow_readiness.store.store import Store, open_store

Do = Callable[..., Awaitable[None]]
SET = "select readiness.set_source_options('hive', 'sales', {})"
DAY = dt.date(2026, 11, 20)


def at(clock: str, ahead: int = 0) -> dt.datetime:
    day = DAY + dt.timedelta(days=ahead)
    return dt.datetime.combine(day, dt.time.fromisoformat(clock), dt.timezone.utc)


async def options(store: Store) -> list[dict[str, Any]]:
    return [
        dict(row) for row in await store.connection.fetch("select * from readiness.source_option order by 1")
    ]


async def test_what_is_left_out_stays_as_it_is(store: Store) -> None:
    await store.connection.execute(SET.format("owner => 'team', on_late => 'rerun'"))
    await store.connection.execute(SET.format("calendar => 'mon-fri', description => 'Sales'"))
    await store.connection.execute(SET.format("on_deadline => 'skip', owner => '', calendar => 'daily'"))
    first, second, third = await options(store)
    known = ("on_late", "on_deadline", "calendar", "owner", "description")
    assert [first[name] for name in known] == ["rerun", "run", None, "team", None]
    assert [second[name] for name in known] == ["rerun", "run", [*WEEKDAYS[:5]], "team", "Sales"]
    assert [third[name] for name in known] == ["rerun", "skip", None, None, "Sales"]
    assert first["valid_from"] < first["valid_to"] == second["valid_from"] < second["valid_to"]
    assert (third["valid_to"], third["scope"]) == (None, None)


async def test_of_many_calls_at_once_exactly_one_is_in_force(store: Store, dsn: dict[str, Any]) -> None:
    async with asyncpg.create_pool(**dsn, min_size=8, max_size=8) as pool:
        await asyncio.gather(*(pool.execute(SET.format(f"owner => 'o{n}'")) for n in range(30)))
    rows = await options(store)
    assert [row["valid_to"] for row in rows] == [*(row["valid_from"] for row in rows[1:]), None]


async def test_the_seven_and_the_options_do_not_touch_each_other(store: Store, set_settings: Do) -> None:
    await store.connection.execute(SET.format("on_late => 'rerun'"))
    await set_settings("hive.sales", "06:00")
    await set_settings("hive.sales", "07:00")
    assert [row["valid_to"] for row in await options(store)] == [None]
    await store.connection.execute(SET.format("on_late => 'ignore'"))
    assert await store.connection.fetchval("select count(*) from readiness.log_setting") == 2


@pytest.mark.parametrize(
    ("argument", "message", "hint"),
    [
        ("on_late => 'always'", "on_late 'always' is neither 'ignore' nor 'rerun'", "starts flows again"),
        ("on_deadline => ''", "on_deadline '' is none of 'run', 'skip', 'fail'", "would go without"),
        ("calendar => ''", "calendar '' names no day", "mon-fri"),
        ("calendar => ' , '", "names no day", "daily"),
        ("calendar => 'monday'", "'monday' is no day of a calendar", "'mon' to 'sun'"),
        ("calendar => 'mon-tue-wed'", "'mon-tue-wed' is no day", "mon-fri"),
        ("calendar => 'mon-'", "'mon-' is no day", "mon-fri"),
        ("calendar => '2026-02-30'", "'2026-02-30' is no day", "YYYY-MM-DD"),
        ("calendar => '20260228'", "'20260228' is no day", "YYYY-MM-DD"),
        ("calendar => 'mon, daily'", "'daily' is no day", "mon"),
    ],
)
async def test_a_bad_value_is_refused_with_a_hint(store: Store, argument: str, message: str, hint: str) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match=message) as caught:
        await store.connection.execute(SET.format(argument))
    assert hint in caught.value.hint
    assert await options(store) == []


parts = st.one_of(
    st.sampled_from([*WEEKDAYS, "daily", "mon-fri", "fri-mon", "sun-sun", "MON", "mon-", "-mon", "x", "", " "]),
    st.dates(dt.date(1, 1, 1)).map(dt.date.isoformat),
    st.sampled_from(["2026-02-29", "2028-02-29", "2026-2-1", "26-02-01", "2026-13-01", "0000-01-01"]),
    st.text("monfri-0123 ,\t", max_size=8),
)


# the function keeps nothing
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(parts, max_size=4), st.sampled_from([",", ", ", " ", "\n"]))
def test_a_calendar_is_read_alike_in_sql_and_in_python(
    calendars: Callable[[str], list[str] | None], words: list[str], between: str
) -> None:
    text = between.join(words)
    try:
        expected: list[str] | None = list(parse_calendar(text))
    except BadInput:
        expected = None
    assert calendars(text) == expected


@pytest.fixture
def calendars(dsn: dict[str, Any]) -> Any:
    """What SQL makes of a calendar; none if it refuses it."""
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(asyncpg.connect(**dsn))

    def read(text: str) -> list[str] | None:
        try:
            days = loop.run_until_complete(connection.fetchval("select readiness.parse_calendar($1)", text))
        except asyncpg.InvalidParameterValueError:
            return None
        return list(days or [])

    yield read
    loop.run_until_complete(connection.close())
    loop.close()


@pytest.mark.parametrize(
    ("calendar", "due"),
    [
        ("daily", [True, True, True, True]),
        # the 20th is a Friday
        ("mon-fri", [True, False, False, True]),
        ("sat, sun", [False, True, True, False]),
        ("fri-sat", [True, True, False, False]),
        ("2026-11-21, mon", [False, True, False, True]),
    ],
)
async def test_a_source_is_due_on_the_days_of_its_calendar(
    store: Store, calendar: str, due: list[bool]
) -> None:
    days = [DAY + dt.timedelta(days=ahead) for ahead in range(4)]
    query = "select readiness.is_due(readiness.parse_calendar($1), d) as due from unnest($2::date[]) as d"
    assert [row["due"] for row in await store.connection.fetch(query, calendar, days)] == due


async def test_a_retired_source_has_the_defaults_of_the_deployment(
    store: Store, set_settings: Do, advance: Callable[..., Awaitable[Any]]
) -> None:
    await set_settings("hive.sales", "09:00")
    await store.connection.execute(SET.format("on_deadline => 'skip'"))
    await advance(at("01:00"))
    query = "select readiness.retire_source('hive', 'sales')"
    assert await store.connection.fetchval(query)
    assert not await store.connection.fetchval(query), "there is nothing left to retire"
    await advance(at("01:00"))
    (row,) = await store.connection.fetch("select * from readiness.processed_log")
    assert (row["setting_id"], row["deadline_at"], row["on_deadline"]) == (None, at("06:00"), "run")
    changed = await advance(at("01:00", 1))
    assert changed == {("hive.sales", DAY): "missed"}, "no other date is opened"
    assert len(await options(store)) == 1


async def test_who_applies_a_file_says_whose_it_is(store: Store, set_settings: Do) -> None:
    async with store.connection.transaction():
        await store.connection.execute("select set_config('readiness.scope', 'sales', true)")
        await set_settings("hive.sales", "06:00")
        await store.connection.execute(SET.format("owner => 'team'"))
    await set_settings("hive.rates", "06:00")
    rows = await store.connection.fetch("select scope from readiness.log_setting order by setting_id")
    assert [row["scope"] for row in rows] == ["sales", None]
    assert [row["scope"] for row in await options(store)] == ["sales"]


@pytest.mark.parametrize(
    "query", [SET.format("owner => 'x'"), "select readiness.retire_source('hive', 'sales')"]
)
async def test_what_changes_rings_so_that_it_holds_at_once(
    store: Store,
    dsn: dict[str, Any],
    eventually: Callable[..., Awaitable[Any]],
    query: str,
) -> None:
    await store.connection.execute(SET.format("owner => 'team'"))
    heard: list[str] = []
    async with open_store(dsn) as listener:
        await listener.ring_on(heard.append)
        await store.connection.execute(query)
        await eventually(lambda: "source_option" in heard)
