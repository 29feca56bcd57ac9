"""What the board reads: ``GET /readiness/api/…``.

No ``from __future__ import annotations``: FastAPI reads the annotations of routes.
"""

import asyncio
import datetime as dt
from collections.abc import Iterable
from typing import Annotated, Final

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response

from airflow_readiness.core.dates import parse_date, timezone
from airflow_readiness.diagnosis import Health
from airflow_readiness.errors import BadDate
from airflow_readiness.ui import access, airflow_side
from airflow_readiness.ui.board import Board
from airflow_readiness.ui.flow_page import flow_of
from airflow_readiness.ui.health_now import health_json, without_names
from airflow_readiness.ui.seen import now_of
from airflow_readiness.ui.source_page import source_page
from airflow_readiness.ui.today import board_of

router = APIRouter(prefix="/api")
#: Days ahead of which nothing is known; readiness.open_by_hand() has the same.
AHEAD: Final = 31
_FIRST: Final = dt.date(1970, 1, 1)


def board(request: Request) -> Board:
    """What the app owns."""
    found: Board = request.app.state.board
    return found


BoardDep = Annotated[Board, Depends(board)]


def day_of(text: str | None, owner: Board) -> dt.date:
    """The date that was asked for; today, if none. It blocks.

    :raises HTTPException: 422 for what is no date, or none that the board has anything for
    """
    today = dt.datetime.now(timezone(owner.zone())).date()
    try:
        day = parse_date(text) if text is not None else today
    except BadDate:
        raise HTTPException(422, "that is no date: write it as YYYY-MM-DD") from None
    if not _FIRST <= day <= today + dt.timedelta(days=AHEAD):
        raise HTTPException(422, f"give a date from {_FIRST} to {today + dt.timedelta(days=AHEAD)}")
    return day


def date_in_path(date: str, owner: BoardDep) -> dt.date:
    """The date of the path."""
    return day_of(date, owner)


def _date_in_query(owner: BoardDep, date: Annotated[str | None, Query()] = None) -> dt.date:
    return day_of(date, owner)


def _date_wanted(owner: BoardDep, date: Annotated[str, Query()]) -> dt.date:
    return day_of(date, owner)


def _today(owner: BoardDep) -> dt.date:
    return day_of(None, owner)


PathDate = Annotated[dt.date, Depends(date_in_path)]
QueryDate = Annotated[dt.date, Depends(_date_in_query)]
WantedDate = Annotated[dt.date, Depends(_date_wanted)]
Today = Annotated[dt.date, Depends(_today)]


async def _health(owner: Board, rights: access.Rights, flows: Iterable[str]) -> Health | None:
    health = await owner.health.get()
    if health and not set(flows) <= set(rights.readable):
        return without_names(health)
    return health


@router.get("/today")
async def today(owner: BoardDep, rights: access.RightsDep, day: Today) -> Response:
    """Every flow and source of today."""
    return await _board(owner, rights, day)


@router.get("/dates/{date}")
async def on_date(owner: BoardDep, rights: access.RightsDep, day: PathDate) -> Response:
    """The same of another date."""
    return await _board(owner, rights, day)


async def _board(owner: Board, rights: access.Rights, day: dt.date) -> Response:
    theirs, answer = await asyncio.gather(owner.theirs(day), owner.ours.read("board_date", day))
    health = await _health(owner, rights, theirs.flows)
    return await asyncio.to_thread(
        lambda: JSONResponse(board_of(day, theirs, answer, rights, health, owner.zone()))
    )


@router.get("/health")
async def health(owner: BoardDep, rights: access.RightsDep, day: Today) -> Response:
    """The deployment's health."""
    theirs, answer = await asyncio.gather(owner.theirs(day), owner.ours.read("board_health"))
    found = await _health(owner, rights, theirs.flows)
    last_event_at = answer.row["last_event_at"] if answer.row else None
    return JSONResponse(health_json(found, now_of(answer, owner.zone()), theirs, last_event_at))


@router.get("/flows/{dag_id}")
async def flow(
    owner: BoardDep,
    user: access.Looking,
    dag_id: access.ReadableDag,
    rights: access.RightsDep,
    day: QueryDate,
    last: Today,
) -> Response:
    """The tab of a DAG."""
    theirs = await asyncio.to_thread(airflow_side.one_flow, dag_id, day)
    found = theirs.flows.get(dag_id)
    if found is None or found.waits_for is None:
        return JSONResponse({"dag_id": dag_id, "consumer": False})
    waits_for = found.waits_for
    answer, can_act = await asyncio.gather(
        owner.ours.read("board_flow", dag_id, day, waits_for.sources, last),
        asyncio.to_thread(access.may_change_dag, dag_id, user),
    )
    # problems of the whole deployment name other flows
    health = await owner.health.get()
    return await asyncio.to_thread(
        lambda: JSONResponse(
            flow_of(
                found,
                waits_for,
                day,
                answer,
                without_names(health) if health else None,
                owner.zone(),
                flow_acts=can_act,
                source_acts=rights.changes_assets,
            )
        )
    )


@router.get("/sources/{name}")
async def source(
    owner: BoardDep, name: access.ReadableSource, rights: access.RightsDep, day: Today
) -> Response:
    """The page of a source."""
    database, _, table = name.name.partition(".")
    answer = await owner.ours.read("board_source", database, table, day)
    page = await asyncio.to_thread(source_page, name, day, answer, rights, owner.zone())
    if page is None:
        raise access.unknown("source")
    return JSONResponse(page)
