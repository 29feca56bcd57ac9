"""The two edges of a window, to the instant."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable

from airflow_readiness.store.store import Store

Do = Callable[..., Awaitable[None]]
Advance = Callable[[dt.datetime], Awaitable[dict[tuple[str, dt.date], str]]]

DAY = dt.date(2026, 3, 10)
SOURCE = "hive.sales"


def at(hour: int, minute: int = 0, *, days: int = 0) -> dt.datetime:
    """An instant of that day, or of one so many days later."""
    return dt.datetime(2026, 3, 10, hour, minute, tzinfo=dt.timezone.utc) + dt.timedelta(days=days)


async def test_a_log_at_the_end_of_a_window_belongs_to_the_next_date(
    store: Store, set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SOURCE, "06:00")
    assert (await advance(at(7)))[SOURCE, DAY] == "missed"
    await report(SOURCE, at(0, days=1))
    await advance(at(0, days=1))
    rows = await store.connection.fetch(
        "select business_date, state, log_count from readiness.processed_log order by 1"
    )
    found = {row["business_date"]: (row["state"], row["log_count"]) for row in rows}
    assert found[DAY] == ("missed", 0)
    assert found[DAY + dt.timedelta(days=1)] == ("ready", 1)


async def test_a_log_just_before_the_end_of_a_window_is_late(
    store: Store, set_settings: Do, report: Do, advance: Advance
) -> None:
    await set_settings(SOURCE, "06:00")
    await advance(at(7))
    await report(SOURCE, at(0, days=1) - dt.timedelta(microseconds=1))
    assert (await advance(at(0, days=1)))[SOURCE, DAY] == "late"


async def test_the_beginning_of_a_window_wakes_the_processor_for_a_source_that_only_a_sensor_knows(
    store: Store, report: Do, advance: Advance
) -> None:
    tomorrow = DAY + dt.timedelta(days=1)
    await store.run("expect", *SOURCE.split("."), tomorrow, None)
    await report(SOURCE, at(10), tomorrow)
    assert (await advance(at(12)))[SOURCE, tomorrow] == "waiting", "its day has not begun"
    (wake,) = await store.fetch("next_wake", at(12))
    assert wake["wake_at"] == at(0, days=1)
    assert (await advance(wake["wake_at"]))[SOURCE, tomorrow] == "ready"
