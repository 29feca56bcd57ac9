"""Input that cannot be meant, through the real arguments: one sentence and exit code 2, never a traceback."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from airflow_readiness import engine
from airflow_readiness.config import Config
from airflow_readiness.core.condition import of_source
from airflow_readiness.store.store import Store
from tests.integration.commands import Command

Do: TypeAlias = Callable[..., Awaitable[None]]

WHY = ("--reason", "a test")
DAY = ("--date", "2026-11-01")
#: what a shell hands over of bytes that are no UTF-8
BYTES = "caf\udce9"


@pytest.fixture
async def flow(store: Store, settings: Config, add_flow: Do, today: dt.date) -> None:
    """A flow that waits for one source."""
    await engine.configure(store, settings)
    await add_flow("flow", of_source("hive.sales"), today)
    await engine.tick(store, everything=True)


@pytest.mark.usefixtures("flow")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("status", "--date", BYTES), "is not UTF-8"),
        (("status", "--date", ""), "'' is not a business date"),
        (("why", "flow", "--date", "2026-02-30"), "is not a business date"),
        (("why", ""), "there is no flow ''"),
        (("report", "hive.sales", "--rows", "99999999999999999999"), "is no number of rows"),
        (("report", "hive.sales", "--rows", "-1"), "is no number of rows"),
        (("report", "hive.sales", "--load-id", BYTES), "is not UTF-8"),
        (("report", "hive.sales", "--date", ""), "'' is not a business date"),
        (("report", ""), "write it as 'database.table'"),
        (("mark-ready", "hive.sales", "--date", "0001-01-01", *WHY), "is out of range"),
        (("mark-ready", "hive.sales", "--date", "9999-12-31", *WHY), "is out of range"),
        (("mark-ready", "hive.sales", *DAY, "--reason", BYTES), "is not UTF-8"),
        (("skip", "hive.sales", *DAY, "--reason", "x" * 1001), "Say why, in up to 1000"),
        (("extend", "hive.sales", *DAY, "--to", "9999-12-31T23:59:59-12:00", *WHY), "is out of range"),
        (("extend", "hive.sales", *DAY, "--to", "0001-01-01T00:00:00+14:00", *WHY), "is out of range"),
        (("extend", "hive.sales", "--date", "0001-01-01", "--to", "06:00", *WHY), "is out of range"),
        (("extend", "hive.sales", "--date", "9999-12-31", "--to", "23:59", *WHY), "is out of range"),
        (("rerun", "nothing", *DAY, *WHY), "there is no flow 'nothing'"),
        (("rerun", "flow", "--date", "tomorrow", *WHY), "is not a business date"),
        (("repair", "flow", "--date", "tomorrow"), "is not a business date"),
        (("backfill", "nothing", "--from", "2026-01-01", "--to", "2026-01-02"), "there is no flow 'nothing'"),
        (("backfill", "flow", "--from", "2026-01-01", "--to", "9999-12-31"), "is not in the past"),
        (("backfill", "flow", "--from", "2026-1-1", "--to", "2026-01-02"), "is not a business date"),
        (("prune", "--keep-days", "-1"), "Keep 35 days at least"),
        (("prune", "--keep-days", "99999999999"), "are too many to keep"),
        (("prune", "--keep-arrivals", "3"), "Keep 35 days at least"),
    ],
)
async def test_it_is_refused_in_one_sentence(command: Command, arguments: tuple[str, ...], says: str) -> None:
    done = await command(*arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert done.err.count("\n") == 1
    done = await command(*arguments, "--json")
    assert says in (done.json["error"] if arguments[0] != "repair" else done.out)


@pytest.mark.usefixtures("flow")
@pytest.mark.parametrize("date", ["0001-01-01", "9999-12-31"])
async def test_looking_at_any_date_is_no_error(command: Command, date: str) -> None:
    assert (await command("why", "flow", "--date", date)).code == 1
    assert (await command("status", "--date", date)).code == 1
