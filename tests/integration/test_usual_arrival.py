"""When a source usually comes: by weekday, on the clock of the deployment, counted from the business date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

import pytest

from airflow_readiness.core.usual import clock_of
from airflow_readiness.operating.known import Known, known_of
from airflow_readiness.store.store import Store

#: a Friday
DAY = dt.date(2026, 11, 20)
Arrive: TypeAlias = Callable[..., Awaitable[None]]


def fridays(count: int) -> list[dt.date]:
    return [DAY - dt.timedelta(weeks=1 + number) for number in range(count)]


@pytest.fixture
def arrive(store: Store) -> Arrive:
    """The source was ready on these days, so long after their midnight in Berlin."""

    async def write(
        days: Iterable[dt.date], *after: dt.timedelta, table: str = "processed_log", by_hand: Any = None
    ) -> None:
        await store.connection.execute("update readiness.deployment set timezone = 'Europe/Berlin'")
        hand = {"processed_log": by_hand, "arrival": by_hand is not None}[table]
        for number, day in enumerate(days):
            await store.connection.execute(
                f"insert into readiness.{table} (source_database, source_table, business_date, state, ready_at,"
                " by_hand, log_count) values ('hive', 'sales', $1, 'ready',"
                " ($1::date::timestamp + $2) at time zone 'Europe/Berlin', $3, 1)",
                day,
                after[number % len(after)],
                hand,
            )

    return write


async def usual(store: Store, day: dt.date = DAY) -> Known:
    (row,) = await store.fetch("sources_of", ["hive.sales"], day)
    return known_of(row)


def clock(hours: int, minutes: int = 0) -> dt.timedelta:
    return dt.timedelta(hours=hours, minutes=minutes)


async def test_the_median_and_nine_of_ten_of_that_weekday(store: Store, arrive: Arrive) -> None:
    # summer and winter time are both among them: it is the clock on the wall that counts
    await arrive(fridays(11), *(clock(5, minute) for minute in range(0, 55, 5)))
    await arrive([day + dt.timedelta(days=1) for day in fridays(12)], clock(15))
    found = (await usual(store)).usual
    assert (found.samples, found.usual, found.slow) == (11, clock(5, 25), clock(5, 45))
    assert found.slow_at == dt.datetime(2026, 11, 20, 4, 45, tzinfo=dt.timezone.utc)
    assert found.tell() == "05:25 (90% by 05:45)"
    assert (await usual(store, DAY + dt.timedelta(days=1))).usual.tell() == "15:00 (90% by 15:00)"


async def test_fewer_than_ten_are_too_few(store: Store, arrive: Arrive) -> None:
    await arrive(fridays(9), clock(5))
    assert (await usual(store)).usual.tell() == "too few (9)"
    assert (await usual(store)).usual.to_json()["usual"] is None
    await arrive([DAY - dt.timedelta(weeks=10)], clock(5))
    assert (await usual(store)).usual.tell() == "05:00 (90% by 05:00)"


async def test_what_is_older_than_ninety_days_does_not_count(store: Store, arrive: Arrive) -> None:
    await arrive([DAY - dt.timedelta(weeks=week) for week in range(4, 30)], clock(5))
    assert (await usual(store)).usual.samples == 9


async def test_the_evening_before_is_told_as_such(store: Store, arrive: Arrive) -> None:
    await arrive(fridays(12), clock(-2, -10), clock(-1), clock(0, 5), clock(0, 15))
    found = (await usual(store)).usual
    assert found.usual is not None
    assert clock_of(found.usual) == "23:32 -1d"
    assert clock_of(clock(26, 10)) == "02:10 +1d"
    assert clock_of(clock(-2, -10)) == "21:50 -1d"


async def test_what_was_marked_by_hand_says_nothing_of_when_it_comes(store: Store, arrive: Arrive) -> None:
    hand = {"action": "mark-ready", "by": "me", "at": "2026-11-20T00:00:00Z", "reason": "x"}
    await arrive(fridays(6), clock(5))
    await arrive([DAY - dt.timedelta(weeks=7 + n) for n in range(3)], clock(9), by_hand=hand)
    await arrive([DAY - dt.timedelta(weeks=10 + n) for n in range(2)], clock(9), by_hand=hand, table="arrival")
    assert (await usual(store)).usual.samples == 6


async def test_what_was_pruned_counts_as_before(store: Store, arrive: Arrive) -> None:
    await arrive(fridays(5), clock(5))
    await arrive([DAY - dt.timedelta(weeks=6 + n) for n in range(6)], clock(6), table="arrival")
    found = (await usual(store)).usual
    assert (found.samples, found.usual) == (11, clock(6))


async def at_risk_from(store: Store) -> dt.datetime | None:
    at: dt.datetime | None = await store.connection.fetchval("select risk_at from readiness.risk")
    return at


async def waits(store: Store, deadline: str) -> None:
    await store.connection.execute(
        "insert into readiness.processed_log (source_database, source_table, business_date, window_start,"
        " deadline_at, window_end, changed_at)"
        " select 'hive', 'sales', $1::date, ($1::date - 1 + '20:00'::time) at time zone 'Europe/Berlin',"
        " ($1::date + $2::time) at time zone 'Europe/Berlin', now(), now()",
        DAY,
        dt.time.fromisoformat(deadline),
    )


async def test_it_is_at_risk_when_nine_of_ten_were_there(store: Store, arrive: Arrive) -> None:
    await arrive(fridays(12), clock(5))
    await waits(store, "06:00")
    assert await at_risk_from(store) == dt.datetime(2026, 11, 20, 4, tzinfo=dt.timezone.utc)
    known = await usual(store)
    moment = dt.timedelta(microseconds=1)
    slow_at = dt.datetime(2026, 11, 20, 4, tzinfo=dt.timezone.utc)
    assert known.state(slow_at - moment) == "waiting"
    assert known.state(slow_at) == "at risk"


async def test_it_is_at_risk_from_the_beginning_if_that_is_after_the_deadline(
    store: Store, arrive: Arrive
) -> None:
    await arrive(fridays(12), clock(7))
    await waits(store, "06:00")
    assert await at_risk_from(store) == dt.datetime(2026, 11, 19, 19, tzinfo=dt.timezone.utc)
    known = await usual(store)
    assert known.state(dt.datetime(2026, 11, 19, 19, tzinfo=dt.timezone.utc)) == "at risk"


async def test_with_too_few_samples_nothing_is_at_risk(store: Store, arrive: Arrive) -> None:
    await arrive(fridays(9), clock(7))
    await waits(store, "06:00")
    assert await at_risk_from(store) is None
    assert (await usual(store)).state(dt.datetime(2026, 11, 20, 5, tzinfo=dt.timezone.utc)) == "waiting"


async def test_ten_thousand_sources_are_looked_at_in_a_few_seconds(store: Store) -> None:
    """The cost of a look at all usual times, generously: it is taken every five minutes."""
    await store.connection.execute(
        "insert into readiness.processed_log (source_database, source_table, business_date, state, ready_at,"
        " window_start, deadline_at, window_end, changed_at, log_count)"
        " select 'hive', 't' || n, $1::date - d, case when d = 0 then 'waiting' else 'ready' end,"
        " case when d > 0 then ($1::date - d)::timestamptz + interval '5 hours' end, $1::date, $1::date + 1,"
        " $1::date + 1, now(), 1 from generate_series(1, 10000) as n cross join generate_series(0, 91, 7) as d",
        DAY,
    )
    await store.connection.execute("analyze readiness.processed_log")
    assert len(await store.fetch("alarms_due", ["at_risk"], ["Notifier"])) <= 1
    assert await store.fetch("next_alarm", ["at_risk"])
    assert len(await store.fetch("status", DAY)) == 10_000
