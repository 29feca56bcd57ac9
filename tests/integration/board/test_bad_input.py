"""What cannot be meant gets a clear 4xx, and changes nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import asyncpg
import pytest

from airflow_readiness.ui.body import LIMIT
from tests.integration.board.client import OURS, Client
from tests.integration.board.world import World

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")


@pytest.mark.parametrize(
    "date",
    [
        "today",
        "2026-13-01",
        "2026-1-1",
        "20261101",
        "9999-12-31",
        "0001-01-01",
        "1969-12-31",
        "2026-11-22T00",
        "'",
    ],
)
async def test_no_date(world: World, anna: Client, metadata_db: asyncpg.Connection, date: str) -> None:
    assert await anna.status(f"dates/{date}") == 422
    assert await anna.status(f"flows/sales_report?date={date}") == 422
    assert await anna.status(f"preview?action=skip&source=hive.sales&date={date}") == 422
    answer = await anna.do(f"sources/hive.sales/{date}/skip", reason="a test")
    assert answer.status_code == 422
    assert "date" in answer.json()["detail"]
    assert await unchanged(world, metadata_db)


async def test_a_date_to_come_within_a_month(world: World, anna: Client) -> None:
    soon = world.today + dt.timedelta(days=20)
    page = await anna.get(f"dates/{soon}")
    assert page["business_date"] == f"{soon}"
    assert {flow["state"] for flow in page["flows"]} == {"waiting"}
    assert {source["state"] for source in page["sources"]} == {"waiting"}
    assert await anna.status(f"dates/{world.today + dt.timedelta(days=40)}") == 422


async def test_unknown_names(world: World, anna: Client, metadata_db: asyncpg.Connection) -> None:
    for name in ("nothing", "a" * 251, "a%00b", "%F0%9F%92%A9", "plain%2F..", "-", "a'b"):
        assert await anna.status(f"flows/{name}") == 404, name
        answer = await anna.do(f"flows/{name}/{world.today}/rerun", reason="a test")
        assert answer.status_code == 404, name
    for name in ("hive.nothing", "nothing", "hive.a%00b", "a.b.c", "hive.'", "h" * 256 + ".t"):
        assert await anna.status(f"sources/{name}") == 404, name
        answer = await anna.do(f"sources/{name}/{world.today}/skip", reason="a test")
        assert answer.status_code == 404, name
    # a DAG that is no flow
    answer = await anna.do(f"flows/plain/{world.today}/rerun", reason="a test")
    assert answer.status_code in (404, 409, 422)
    assert "there is no flow 'plain'" in answer.json()["detail"]


async def unchanged(world: World, metadata_db: asyncpg.Connection) -> bool:
    ours = await world.store.connection.fetchval("select count(*) from readiness.audit")
    theirs = await metadata_db.fetchval("select count(*) from log where event like 'readiness%'")
    return not ours and not theirs


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"[]", 422),
        (b'"reason"', 422),
        (b"{}", 422),
        (b'{"reason": ""}', 422),
        (b'{"reason": " \\n "}', 422),
        (b'{"reason": null}', 422),
        (b'{"reason": 7}', 422),
        (b'{"reason": ["a"]}', 422),
        (b'{"reason": "a", "by": "eve"}', 422),
        (b'{"reason": "a", "until": 7}', 422),
        (b'{"reason": "a", "until": "06:30"}', 422),
        (b'{"reason": "a\\u0000b"}', 422),
        (b'{"reason": "\\ud800"}', 422),
        (b"\xff\xfe", 422),
        (b"[" * 9000, 422),
        (b'{"reason": "' + b"a" * 1001 + b'"}', 422),
        (b'{"reason": "' + b"a" * LIMIT + b'"}', 413),
        (b"{" + b" " * LIMIT + b"}", 413),
    ],
)
async def test_a_body_that_cannot_be_meant(
    world: World, anna: Client, metadata_db: asyncpg.Connection, body: bytes, status: int
) -> None:
    headers = {**OURS, "Content-Type": "application/json"}
    path = f"api/sources/hive.sales/{world.today}/skip"
    answer = await anna.ask("POST", path, headers=headers, content=body)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"detail"}
    assert await unchanged(world, metadata_db)


async def test_a_body_whose_length_is_not_said(
    world: World, anna: Client, metadata_db: asyncpg.Connection
) -> None:
    async def endless() -> Any:
        while True:
            yield b" " * 4096

    headers = {**OURS, "Content-Type": "application/json"}
    path = f"api/sources/hive.sales/{world.today}/skip"
    answer = await anna.ask("POST", path, headers=headers, content=endless())
    assert answer.status_code == 413
    assert await unchanged(world, metadata_db)


@pytest.mark.parametrize("until", ["25:00", "6.30", "tomorrow", "9999-12-31T23:59:59-14:00", "", "0" * 41])
async def test_no_deadline(world: World, anna: Client, until: str) -> None:
    answer = await anna.do(f"sources/hive.sales/{world.today}/extend", reason="a test", until=until)
    assert answer.status_code == 422, answer.text
    answer = await anna.do(f"sources/hive.sales/{world.today}/extend", reason="a test")
    assert answer.status_code == 422
    assert await world.store.connection.fetchval("select count(*) from readiness.audit") == 0


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?action=skip",
        "?action=skip&source=hive.sales",
        "?action=explode&source=hive.sales&date={day}",
        "?action=skip&flow=sales_report&date={day}",
        "?action=rerun&source=hive.sales&date={day}",
        "?action=rerun&source=hive.sales&flow=sales_report&date={day}",
        "?action=" + "a" * 5000,
    ],
)
async def test_a_preview_of_nothing(world: World, anna: Client, query: str) -> None:
    assert await anna.status(f"preview{query.format(day=world.today)}") == 422


async def test_a_preview_of_what_may_not_be_seen(world: World, nora: Client) -> None:
    for what in (
        "action=skip&source=hive.secret",
        "action=rerun&flow=secret_flow",
        "action=rerun&flow=nothing",
    ):
        assert await nora.status(f"preview?{what}&date={world.today}") == 404
