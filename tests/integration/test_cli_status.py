"""``airflow readiness status`` and ``report``: real rows, through the real arguments."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from airflow_readiness.config import Endpoints
from airflow_readiness.store.store import Store
from tests.integration.commands import Command

Eventually: TypeAlias = Callable[..., Awaitable[Any]]
Do: TypeAlias = Callable[..., Awaitable[None]]


@pytest.fixture
async def sources(
    processor: object, set_settings: Do, report: Do, store: Store, today: dt.date, eventually: Eventually
) -> None:
    """One that is ready, one that waits, one of a date that is over."""
    for name in ("hive.sales", "hive.stores"):
        await set_settings(name, "18:00")
    await report("hive.sales", dt.datetime.now(dt.timezone.utc), today)
    await store.run("expect", "hive", "sales", today - dt.timedelta(days=9), None)
    await store.run("expect", "other", "plain", today - dt.timedelta(days=9), None)

    async def judged() -> bool:
        rows = await store.connection.fetch("select from readiness.processed_log where deadline_at is not null")
        return len(rows) == 4

    await eventually(judged)


@pytest.mark.usefixtures("sources")
async def test_it_shows_today_and_what_is_unmet(command: Command, today: dt.date) -> None:
    shown = await command("status")
    assert shown.code == 1
    header, *rows, zone = shown.out.splitlines()
    assert header.split("\t")[:7] == ["source", "date", "state", "logs", "ready at", "deadline", "usually"]
    assert zone.startswith("Times are those of Etc/GMT")
    cells = {row.split("\t")[0]: row.split("\t") for row in rows}
    assert set(cells) == {"hive.sales", "hive.stores"}, "the date that is over is closed"
    assert cells["hive.stores"][1:] == [f"{today}", "waiting", "0/1", "", "18:00", "too few (0)", ""]
    assert cells["hive.sales"][2:4] == ["ready", "1/1"]


@pytest.mark.usefixtures("sources")
async def test_it_can_be_asked_for_a_date_a_state_and_a_source(command: Command, today: dt.date) -> None:
    over = f"{today - dt.timedelta(days=9)}"
    shown = await command("status", "--date", over, "--json")
    states = {each["source"]: (each["state"], each["configured"]) for each in shown.json["sources"]}
    assert states == {"hive.sales": ("missed", True), "other.plain": ("missed", False)}
    assert shown.code == 1

    shown = await command("status", "--state", "ready", "--json")
    assert [each["source"] for each in shown.json["sources"]] == ["hive.sales"]
    assert shown.code == 0, "each that is shown is satisfied"

    shown = await command("status", "--date", over, "--source", "o*", "--source", "x.y", "--json")
    assert [each["source"] for each in shown.json["sources"]] == ["other.plain"]

    shown = await command("status", "--date", over, "--source", "other.plain")
    assert "not configured" in shown.out


@pytest.mark.usefixtures("sources")
async def test_where_there_is_nothing_to_show_it_is_not_all_well(command: Command) -> None:
    shown = await command("status", "--source", "nothing.*")
    assert shown.code == 1
    assert "Nothing is known of such a source" in shown.out


@pytest.mark.usefixtures("sources")
async def test_on_a_terminal_it_is_a_table(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    capsys.readouterr()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    shown = await command("status")
    assert "hive.stores" in shown.out
    assert "┃" in shown.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["status", "--date", "22.11.2026"], "write it as YYYY-MM-DD"),
        (["status", "--conn-id", "elsewhere"], "there is no connection 'elsewhere'"),
        (["report", "sales"], "write it as 'database.table'"),
        (["report", "hive.sales", "--load-id", ""], "Give an id that is the same"),
    ],
)
async def test_what_cannot_be_done_is_said_in_one_sentence(
    command: Command, arguments: list[str], says: str
) -> None:
    done = await command(*arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    done = await command(*arguments, "--json")
    assert says in done.json["error"]


async def test_without_a_postgres_it_says_so(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_READINESS_POSTGRES", '{"conn_type": "postgres", "host": "/nowhere"}')
    done = await command("status")
    assert done.code == 2
    assert done.err.startswith("Postgres cannot be used: ")


async def test_without_the_schema_it_says_what_to_run(
    command: Command, endpoints: Endpoints, store: Store
) -> None:
    await store.connection.execute("drop schema readiness cascade")
    done = await command("status")
    assert (done.code, "airflow readiness db upgrade" in done.err) == (2, True)


@pytest.mark.usefixtures("sources")
async def test_a_report_is_a_log_row_like_any(
    command: Command, store: Store, today: dt.date, eventually: Eventually
) -> None:
    done = await command("report", "hive.stores", "--date", f"{today}", "--rows", "12", "--load-id", "one")
    assert (done.code, "load_id one" in done.out) == (0, True)
    row = await store.connection.fetchrow("select * from readiness.fm_log where source_table = 'stores'")
    assert (row["business_date"], row["row_count"], row["load_id"]) == (today, 12, "one")

    async def satisfied() -> bool:
        return (await command("status", "--source", "hive.stores")).code == 0

    await eventually(satisfied)
    done = await command("report", "hive.stores", "--json")
    assert done.json["business_date"] is None
    assert done.json["load_id"]
