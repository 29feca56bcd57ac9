"""Every route of the app, asked by who may not: strangers, viewers, and pages of other sites."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import asyncpg
import pytest
from airflow.api_fastapi.core_api.security import get_user
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from airflow_readiness.store.store import Store
from tests.integration.board.client import OURS, Client

CHANGES = {
    "/api/sources/{name}/{date}/mark-ready",
    "/api/sources/{name}/{date}/skip",
    "/api/sources/{name}/{date}/extend",
    "/api/flows/{dag_id}/{date}/publish",
    "/api/flows/{dag_id}/{date}/rerun",
}
READS = {
    "/api/today",
    "/api/dates/{date}",
    "/api/health",
    "/api/flows/{dag_id}",
    "/api/sources/{name}",
    "/api/preview",
}
BODY = {"reason": "a test"}


def routes(app: FastAPI) -> list[APIRoute]:
    return [route for route in app.routes if isinstance(route, APIRoute)]


def path_of(route: APIRoute, day: dt.date) -> str:
    path = route.path.format(name="hive.sales", dag_id="sales_report", date=day)
    query = f"?action=skip&source=hive.sales&date={day}" if path.endswith("preview") else ""
    return path.removeprefix("/") + query


def body_of(route: APIRoute) -> dict[str, str]:
    return BODY | ({"until": "23:59"} if route.path.endswith("extend") else {})


def depends_on(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for each in dependant.dependencies:
        yield from depends_on(each)


async def changed(store: Store, metadata_db: asyncpg.Connection) -> bool:
    ours = await store.connection.fetchval("select count(*) from readiness.audit")
    ours += await store.connection.fetchval("select count(*) from readiness.processed_log")
    theirs = await metadata_db.fetchval("select count(*) from log where event like 'readiness%'")
    return bool(ours or theirs or await metadata_db.fetchval("select count(*) from dag_run"))


def test_these_are_all_routes_there_are(mounted: FastAPI) -> None:
    assert {route.path for route in routes(mounted) if "POST" in route.methods} == CHANGES
    assert {route.path for route in routes(mounted) if "GET" in route.methods} == READS
    rest = [route for route in mounted.routes if not isinstance(route, APIRoute)]
    assert [(type(route), route.path) for route in rest if isinstance(route, Mount | Route)] == [
        (Mount, "/static")
    ]
    assert {method for route in routes(mounted) for method in route.methods} == {"GET", "POST"}


def test_each_of_them_asks_who_it_is(mounted: FastAPI) -> None:
    for route in routes(mounted):
        assert get_user in depends_on(route.dependant), route.path


async def test_a_stranger_gets_nothing_from_any(
    mounted: FastAPI, stranger: Client, store: Store, metadata_db: asyncpg.Connection, today: dt.date
) -> None:
    for route in routes(mounted):
        for method in route.methods:
            options = {"json": body_of(route), "headers": OURS} if method == "POST" else {}
            answer = await stranger.ask(method, path_of(route, today), **options)
            assert (answer.status_code, set(answer.json())) == (401, {"detail"}), route.path
            assert "hive" not in answer.text
    for path in ("openapi.json", "docs", "redoc", "api", "api/", "api/nothing", ""):
        assert (await stranger.ask("GET", path)).status_code == 404, path
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
        assert (await stranger.ask(method, "api/today")).status_code == 405
    assert not await changed(store, metadata_db)


async def test_a_bad_token_gets_nothing_from_any(mounted: FastAPI, stranger: Client, today: dt.date) -> None:
    for route in routes(mounted):
        (method,) = route.methods
        options = {"json": body_of(route)} if method == "POST" else {}
        headers = {**OURS, "Authorization": "Bearer of.bad.news"}
        answer = await stranger.ask(method, path_of(route, today), headers=headers, **options)
        assert (answer.status_code, set(answer.json())) == (403, {"detail"}), route.path


async def test_a_viewer_changes_nothing(
    mounted: FastAPI, vera: Client, store: Store, metadata_db: asyncpg.Connection, today: dt.date
) -> None:
    for route in routes(mounted):
        if "POST" in route.methods:
            answer = await vera.do(path_of(route, today).removeprefix("api/"), **body_of(route))
            assert answer.status_code == 403, route.path
            assert "you may not" in answer.json()["detail"]
        else:
            assert (await vera.ask("GET", path_of(route, today))).status_code == 200, route.path
    assert not await changed(store, metadata_db)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Requested-With": "readiness", "Sec-Fetch-Site": "cross-site"},
        {"X-Requested-With": "readiness", "Sec-Fetch-Site": "same-site"},
        {"X-Requested-With": "XMLHttpRequest", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin"},
        {},
    ],
    ids=["cross-site", "same-site", "another header", "no header", "neither"],
)
async def test_a_page_of_another_site_changes_nothing_with_an_admin_s_cookie(
    mounted: FastAPI,
    anna: Client,
    store: Store,
    metadata_db: asyncpg.Connection,
    today: dt.date,
    headers: dict[str, str],
) -> None:
    for route in routes(mounted):
        if "POST" in route.methods:
            answer = await anna.ask("POST", path_of(route, today), headers=headers, json=body_of(route))
            assert answer.status_code == 403, route.path
            assert "X-Requested-With" in answer.json()["detail"]
    assert not await changed(store, metadata_db)


async def test_a_form_of_another_site_changes_nothing(
    mounted: FastAPI, anna: Client, store: Store, metadata_db: asyncpg.Connection, today: dt.date
) -> None:
    for route in routes(mounted):
        if "POST" in route.methods:
            answer = await anna.ask("POST", path_of(route, today), data=body_of(route))
            assert answer.status_code == 403, route.path
            # and with what no form can send
            answer = await anna.ask("POST", path_of(route, today), data=body_of(route), headers=OURS)
            assert answer.status_code == 415, route.path
    assert not await changed(store, metadata_db)


async def test_no_other_site_may_read_the_answers_or_have_them_kept(
    mounted: FastAPI, anna: Client, today: dt.date
) -> None:
    for route in routes(mounted):
        if "GET" in route.methods:
            answer = await anna.ask("GET", path_of(route, today), headers={"Origin": "http://evil.test"})
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-type"] == "application/json"
            assert "access-control-allow-origin" not in answer.headers


async def test_the_code_is_for_everybody_and_asked_for_anew(stranger: Client) -> None:
    answer = await stranger.ask("GET", "static/board.js")
    assert answer.status_code == 200
    assert "javascript" in answer.headers["content-type"]
    assert answer.headers["cache-control"] == "no-cache"
    again = await stranger.ask("GET", "static/board.js", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    for path in ("static/", "static/../app.py", "static/%2e%2e/app.py", "static/nothing.js"):
        assert (await stranger.ask("GET", path)).status_code == 404
