"""``advance()``: the rules of readiness, by a clock that is an argument."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from airflow_readiness.store.store import Store, open_store

DAY = dt.date(2026, 11, 20)
SALES = "hive.sales"

Advance = Callable[[dt.datetime], Awaitable[dict[tuple[str, dt.date], str]]]
Do = Callable[..., Awaitable[None]]


def day(ahead: int) -> dt.date:
    return DAY + dt.timedelta(days=ahead)


def at(clock: str, ahead: int = 0) -> dt.datetime:
    return dt.datetime.combine(day(ahead), dt.time.fromisoformat(clock), dt.timezone.utc)


async def known(store: Store, date: dt.date = DAY, source: str = SALES) -> dict[str, Any]:
    row = await store.connection.fetchrow(
        "select * from readiness.processed_log where source = $1 and business_date = $2", source, date
    )
    return dict(row)


async def test_a_source_becomes_ready_at_its_nth_distinct_row(
    store: Store, set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00", log_count=2)
    assert await advance(at("00:00")) == {(SALES, DAY): "waiting"}
    await report(SALES, at("01:00"), load_id="one")
    await report(SALES, at("01:30"), load_id="one")
    assert await advance(at("02:00")) == {(SALES, DAY): "waiting"}
    await report(SALES, at("02:30"), load_id="two")
    await report(SALES, at("02:45"), load_id="three")
    assert await advance(at("03:00")) == {(SALES, DAY): "ready"}
    row = await known(store)
    assert (row["ready_at"], row["log_count"], row["needed"]) == (at("02:30"), 3, 2)
    assert row["last_log_at"] == at("02:45")
    assert row["missed_at"] is None


async def test_with_fewer_rows_than_needed_it_is_missed_at_the_deadline_not_before(
    store: Store, set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00", log_count=2)
    await report(SALES, at("01:00"))
    await advance(at("01:00"))
    assert await advance(at("05:59:59.999999")) == {}
    assert await advance(at("06:00")) == {(SALES, DAY): "missed"}
    row = await known(store)
    assert (row["missed_at"], row["ready_at"], row["log_count"]) == (at("06:00"), None, 1)


async def test_a_row_at_the_very_deadline_is_in_time(
    store: Store, set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    await report(SALES, at("06:00"))
    assert await advance(at("06:00")) == {(SALES, DAY): "ready"}


async def test_a_row_after_the_deadline_is_late_and_late_it_stays(
    store: Store, set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    await advance(at("06:00"))
    await report(SALES, at("06:00:01"))
    assert await advance(at("06:01")) == {(SALES, DAY): "late"}
    row = await known(store)
    assert (row["ready_at"], row["missed_at"]) == (at("06:00:01"), at("06:00"))
    await set_settings(SALES, "09:00")
    await report(SALES, at("06:02"))
    assert await advance(at("06:03")) == {}


async def test_a_row_after_a_deadline_that_nobody_struck_is_late_all_the_same(
    store: Store, set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    await advance(at("05:00"))
    await report(SALES, at("06:30"))
    assert await advance(at("07:00")) == {(SALES, DAY): "late"}
    assert (await known(store))["missed_at"] == at("06:00")


async def test_a_row_from_before_the_deadline_is_ready_although_it_is_seen_after_it(
    store: Store, set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    await report(SALES, at("05:30"))
    assert await advance(at("07:00")) == {(SALES, DAY): "ready"}


async def test_yesterdays_undated_row_never_counts_for_today(
    set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    await report(SALES, at("23:59:59.999999", -1))
    assert await advance(at("05:00")) == {(SALES, DAY): "waiting"}
    assert await advance(at("06:00")) == {(SALES, DAY): "missed"}


async def test_a_row_dated_yesterday_counts_for_yesterday_alone_whenever_it_was_logged(
    store: Store, set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    await advance(at("07:00", -1))
    await report(SALES, at("23:00", -1), day(-1))
    assert await advance(at("23:30", -1)) == {(SALES, day(-1)): "late"}
    await report(SALES, at("03:00"), day(-1))
    assert await advance(at("03:00")) == {(SALES, DAY): "waiting"}


async def test_a_row_dated_for_tomorrow_is_held_until_the_window_of_tomorrow_begins(
    store: Store, set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00", "02:00")
    await store.run("expect", "hive", "sales", day(1), None)
    await report(SALES, at("15:00"), day(1))
    await advance(at("15:00"))
    assert (await known(store, day(1)))["state"] == "waiting"
    assert await advance(at("01:59:59", 1)) == {}
    assert (await advance(at("02:00", 1)))[SALES, day(1)] == "ready"
    assert (await known(store, day(1)))["ready_at"] == at("02:00", 1)


async def test_a_row_of_the_future_counts_when_its_time_has_come(
    set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    await report(SALES, at("03:00"), DAY)
    assert await advance(at("02:59")) == {(SALES, DAY): "waiting"}
    assert await advance(at("03:00")) == {(SALES, DAY): "ready"}


async def test_a_night_window_reaches_across_midnight_and_no_further(
    store: Store, set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00", "20:00", log_count=2)
    await report(SALES, at("19:59", -1))
    await report(SALES, at("20:00", -1))
    assert (await advance(at("20:00", -1)))[SALES, DAY] == "waiting"
    assert (await known(store))["log_count"] == 1
    await report(SALES, at("00:30"))
    assert await advance(at("00:30")) == {(SALES, DAY): "ready"}


async def test_read_from_at_the_deadline_is_a_window_of_a_day(
    store: Store, set_settings: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00", "06:00")
    assert await advance(at("06:00", -1)) == {(SALES, DAY): "waiting"}
    row = await known(store)
    assert (row["window_start"], row["deadline_at"], row["window_end"]) == (
        at("06:00", -1),
        at("06:00"),
        at("06:00"),
    )


@pytest.mark.parametrize(
    ("deadline", "read_from", "log_count", "state"),
    [
        ("05:00", None, 2, "missed"),
        ("05:01", None, 2, "waiting"),
        ("08:00", None, 2, "waiting"),
        ("06:00", None, 1, "ready"),
        ("06:00", None, 3, "waiting"),
        ("06:00", "04:00", 1, "waiting"),
        ("06:00", "03:00", 1, "ready"),
    ],
)
async def test_settings_changed_while_it_waits_hold_at_once(
    store: Store, set_settings: Do, report: Do, advance: Advance,
    deadline: str, read_from: str | None, log_count: int, state: str,
) -> None:  # fmt: skip
    await set_settings(SALES, "06:00", log_count=2)
    await report(SALES, at("03:00"))
    await advance(at("04:59"))
    await set_settings(SALES, deadline, read_from, log_count)
    await advance(at("05:00"))
    row = await known(store)
    assert row["state"] == state
    assert (row["needed"], row["deadline_at"]) == (log_count, at(deadline))
    assert await advance(at("05:00")) == {}


async def test_what_was_missed_stays_missed_when_the_deadline_is_put_off(
    store: Store, set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    await advance(at("06:00"))
    await set_settings(SALES, "09:00")
    await advance(at("07:00"))
    row = await known(store)
    assert (row["state"], row["deadline_at"]) == ("missed", at("06:00"))


async def test_what_was_missed_stays_missed_when_the_clock_is_put_back(
    store: Store, set_settings: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    await advance(at("06:00"))
    await advance(at("05:59:59"))
    assert (await known(store))["state"] == "missed"


async def test_without_settings_the_deployments_deadline_holds_and_it_is_shown_as_not_configured(
    store: Store,
) -> None:
    await store.run("set_deployment", "Europe/Berlin", dt.time(7, 15))
    await store.run("expect", "hive", "sales", DAY, None)
    (row,) = await store.fetch("advance", at("06:14:59"))
    assert (row["state"], row["configured"], row["needed"]) == ("waiting", False, 1)
    assert row["deadline_at"] == at("06:15")
    assert [row["state"] for row in await store.fetch("advance", at("06:15"))] == ["missed"]


async def test_a_source_that_nobody_tracks_is_not_judged(report: Do, advance: Advance) -> None:
    await report(SALES, at("03:00"))
    assert await advance(at("04:00")) == {}


async def test_dates_that_were_slept_through_are_opened_and_judged(
    set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    await advance(at("01:00", -3))
    await report(SALES, at("03:00", -2))
    await report(SALES, at("07:00", -1))
    assert await advance(at("05:00")) == {
        (SALES, day(-3)): "missed",
        (SALES, day(-2)): "ready",
        (SALES, day(-1)): "late",
        (SALES, DAY): "waiting",
    }


async def test_at_most_a_month_of_dates_is_opened_after_a_long_sleep(
    set_settings: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    await advance(at("07:00", -100))
    await advance(at("00:00", -99))
    changed = await advance(at("05:00"))
    assert {date for _, date in changed} == {day(-99), *(day(-ago) for ago in range(31))}


async def test_dates_that_somebody_expected_do_not_hide_those_that_were_slept_through(
    store: Store, set_settings: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    for ahead in (-4, -2, 0, 3):
        await store.run("expect", "hive", "sales", day(ahead), None)
    await advance(at("01:00", -4))
    changed = await advance(at("05:00"))
    assert {date for _, date in changed} == {day(ahead) for ahead in (-4, -3, -2, -1)}


async def test_the_second_call_at_the_same_instant_changes_nothing(
    store: Store, set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    await set_settings("hive.rates", "06:00", "20:00", 2)
    await report(SALES, at("07:00", -1))
    await report("hive.rates", at("21:00", -1))
    await advance(at("01:00", -2))
    await advance(at("06:00"))
    before = await store.connection.fetch(
        "select * from readiness.processed_log order by source, business_date"
    )
    assert await advance(at("06:00")) == {}
    after = await store.connection.fetch("select * from readiness.processed_log order by source, business_date")
    assert before == after


async def test_a_row_with_an_old_time_that_commits_late_still_counts(
    store: Store, dsn: dict[str, Any], set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    async with open_store(dsn) as slow:
        transaction = slow.connection.transaction()
        await transaction.start()
        await slow.connection.execute(
            "select readiness.report_log('hive', 'sales', logged_at => $1)", at("01:00")
        )
        await report("hive.other", at("03:00"))
        assert await advance(at("04:00")) == {(SALES, DAY): "waiting"}
        await transaction.commit()
    assert await advance(at("04:01")) == {(SALES, DAY): "ready"}
    assert (await known(store))["ready_at"] == at("01:00")


async def test_a_date_of_the_past_that_is_expected_is_judged_by_its_own_window(
    store: Store, report: Do, advance: Advance
) -> None:
    await report(SALES, at("03:00", -40))
    for ahead in (-40, -41):
        await store.run("expect", "hive", "sales", day(ahead), None)
    assert await advance(at("12:00")) == {(SALES, day(-40)): "ready", (SALES, day(-41)): "missed"}


async def test_a_date_of_the_future_that_is_expected_waits_for_its_own_window(
    store: Store, report: Do, advance: Advance
) -> None:
    await store.run("expect", "hive", "sales", day(2), None)
    await report(SALES, at("03:00"))
    assert await advance(at("12:00")) == {(SALES, day(2)): "waiting"}
    assert (await known(store, day(2)))["deadline_at"] == at("06:00", 2)
    assert await advance(at("06:00", 2)) == {(SALES, day(2)): "missed"}


async def test_a_deadline_of_its_own_holds_for_the_expected_date_alone(
    store: Store, set_settings: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    await store.run("expect", "hive", "sales", DAY, at("04:00"))
    assert await advance(at("03:59")) == {(SALES, DAY): "waiting"}
    assert await advance(at("04:00")) == {(SALES, DAY): "missed"}
    await advance(at("04:00", 1))
    assert (await known(store, day(1)))["state"] == "waiting"


async def test_expecting_again_without_a_deadline_keeps_the_one_there_is(
    store: Store, advance: Advance
) -> None:
    await store.run("expect", "hive", "sales", DAY, at("04:00"))
    await store.run("expect", "hive", "sales", DAY, None)
    await advance(at("03:00"))
    assert (await known(store))["deadline_at"] == at("04:00")


async def test_what_the_next_window_has_ended_is_not_looked_at_any_more(
    store: Store, set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    await advance(at("06:00"))
    await advance(at("23:59"))
    assert not (await known(store))["closed"]
    await advance(at("00:00", 1))
    assert (await known(store))["closed"]
    await report(SALES, at("05:00"), DAY)
    assert await advance(at("00:01", 1)) == {}
    assert (await known(store))["log_count"] == 0


async def test_two_calls_at_once_wait_for_each_other(
    dsn: dict[str, Any], set_settings: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    await advance(at("05:00"))
    async with open_store(dsn) as first, open_store(dsn) as second:
        transaction = first.connection.transaction()
        await transaction.start()
        # it changes nothing, so no row is locked
        assert await first.fetch("advance", at("05:00")) == []
        waiting = asyncio.create_task(second.fetch("advance", at("06:00")))
        while not await first.connection.fetchval("select exists (select from pg_locks where not granted)"):
            assert not waiting.done()
            await asyncio.sleep(0)
        await transaction.commit()
        assert [row["state"] for row in await waiting] == ["missed"]


async def test_a_row_from_before_the_deadline_that_commits_after_it_was_missed_is_late(
    set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    await advance(at("06:00"))
    await report(SALES, at("05:59"))
    assert await advance(at("06:01")) == {(SALES, DAY): "late"}


async def test_it_wakes_at_the_next_deadline_or_when_the_next_window_begins(
    store: Store, set_settings: Do, advance: Advance
) -> None:
    async def wake(now: dt.datetime) -> dt.datetime | None:
        await advance(now)
        (row,) = await store.fetch("next_wake", now)
        woken: dt.datetime | None = row["wake_at"]
        return woken

    assert await wake(at("01:00")) is None
    await set_settings(SALES, "06:00")
    await set_settings("hive.rates", "08:00", "20:00")
    assert await wake(at("01:00")) == at("06:00")
    assert await wake(at("06:00")) == at("08:00")
    assert await wake(at("08:00")) == at("20:00")
    assert await wake(at("20:00")) == at("00:00", 1)
    assert await wake(at("00:00", 1)) == at("06:00", 1)


async def test_it_wakes_when_the_window_of_an_expected_date_begins(store: Store, advance: Advance) -> None:
    await store.run("expect", "hive", "sales", day(3), None)
    await advance(at("12:00"))
    (row,) = await store.fetch("next_wake", at("12:00"))
    assert row["wake_at"] == at("00:00", 3)


async def test_a_deadline_that_passed_while_nobody_looked_wakes_at_once(
    store: Store, set_settings: Do, advance: Advance
) -> None:
    await set_settings(SALES, "06:00")
    await advance(at("05:59:59.999"))
    (row,) = await store.fetch("next_wake", at("06:00:00.001"))
    assert row["wake_at"] == at("06:00")
