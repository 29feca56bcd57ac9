"""What the board changes: ``POST /readiness/api/…``, and the preview that is shown before.

Each is what the command line does, with the user's name. In this order it is asked: who is it, from which
site does it come, may it be done, is it said right; then Airflow's own audit log has it, then it is done.
No ``from __future__ import annotations``: FastAPI reads the annotations of routes.
"""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Final

from airflow.api_fastapi.logging.decorators import action_logging
from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import JSONResponse, Response

from airflow_readiness import airflow_metadata
from airflow_readiness.errors import BadInput, Refused, UnknownSource
from airflow_readiness.operating.by_hand import Done, Flows, extend, say
from airflow_readiness.operating.rerun import rerun
from airflow_readiness.operating.why import flow_of
from airflow_readiness.repair import repair
from airflow_readiness.store.store import POSTGRES_DOWN, Store
from airflow_readiness.ui import access
from airflow_readiness.ui.access import Looking, Rights, RightsDep
from airflow_readiness.ui.body import Asked, AskedDep, asked
from airflow_readiness.ui.preview import (
    FLOW_ACTIONS,
    SOURCE_ACTIONS,
    FlowAction,
    SourceAction,
    of_flow,
    of_source,
)
from airflow_readiness.ui.routes import BoardDep, PathDate, WantedDate, date_in_path

router = APIRouter(prefix="/api")
_DOWN: Final = "Postgres cannot be used now: nothing was changed, try again when it answers"


@asynccontextmanager
async def _answering() -> AsyncIterator[None]:
    """What cannot be done, as an answer."""
    try:
        yield
    except UnknownSource:
        raise access.unknown("source") from None
    except BadInput as error:
        raise HTTPException(422, str(error)) from error
    except Refused as error:
        raise HTTPException(409, str(error)) from error
    except POSTGRES_DOWN as error:
        raise HTTPException(503, _DOWN) from error


def _of_source(action: SourceAction) -> Callable[..., Awaitable[Response]]:
    async def change(
        owner: BoardDep, name: access.ReadableSource, day: PathDate, rights: RightsDep, body: AskedDep
    ) -> Response:
        async with _answering(), owner.ours.acting() as store:
            done = await _say(store, action, name.name, day, body, rights.name)
        return JSONResponse({"done": _told(done, rights.readable)})

    change.__name__ = f"{action.replace('-', '_')}_source"
    change.__doc__ = f"``airflow readiness {action}``."
    return change


async def _say(store: Store, action: SourceAction, name: str, day: dt.date, body: Asked, by: str) -> Done:
    if action == "extend":
        return await extend(store, name, day.isoformat(), body.until or "", body.reason, by)
    return await say(store, action, name, day.isoformat(), body.reason, by)


def _told(done: Done, readable: Collection[str]) -> str:
    def those(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name in readable)

    flows = done.flows
    told = replace(done, flows=Flows(those(flows.before), those(flows.launched), those(flows.waiting)))
    return " ".join(told.parts())


def _of_flow(action: FlowAction) -> Callable[..., Awaitable[Response]]:
    async def change(
        owner: BoardDep, dag_id: access.ReadableDag, day: PathDate, user: Looking, body: AskedDep
    ) -> Response:
        by = user.get_name()
        async with _answering(), owner.ours.acting() as store:
            if action == "rerun":
                again = partial(airflow_metadata.start_again, by_ui=True)
                done = await rerun(store, airflow_metadata.look, again, dag_id, day, body.reason, by)
                return JSONResponse({"done": " ".join(done.parts())})
            await _publish(store, dag_id, day, body.reason, by)
        return JSONResponse({"done": f"{dag_id} was started for {day}, by itself."})

    change.__name__ = f"{action}_flow"
    change.__doc__ = f"``airflow readiness {'repair' if action == 'publish' else action}``."
    return change


async def _publish(store: Store, dag_id: str, day: dt.date, reason: str, by: str) -> None:
    """Start a flow that missed its launch; who asked is kept, unless it is refused."""
    run_id = airflow_metadata.run_id(day.isoformat())
    await flow_of(store, dag_id, day)
    await repair(store, airflow_metadata.look, airflow_metadata.start_run, run_id, dag_id, day)
    await store.run("audit", "publish", by, reason, dag_id, day, {"run_id": run_id})


def _until_fits(action: str) -> Callable[..., None]:
    def check(body: AskedDep) -> None:
        if (body.until is None) is (action == "extend"):
            raise HTTPException(422, "'until' is for extend, and extend needs it: write HH:MM")

    return check


def _guards(action: str, allowed: Callable[..., Any]) -> list[Any]:
    # it is in Airflow's audit log before it is done, and only if it may be done
    logged = action_logging(f"readiness_{action.replace('-', '_')}")
    guards = [access.may_look, access.same_site, allowed, date_in_path, asked, _until_fits(action), logged]
    return [Depends(guard) for guard in guards]


for each in SOURCE_ACTIONS:
    router.add_api_route(
        f"/sources/{{name}}/{{date}}/{each}",
        _of_source(each),
        methods=["POST"],
        dependencies=_guards(each, access.changeable_source),
    )
for flow_action in FLOW_ACTIONS:
    router.add_api_route(
        f"/flows/{{dag_id}}/{{date}}/{flow_action}",
        _of_flow(flow_action),
        methods=["POST"],
        dependencies=_guards(flow_action, access.changeable_dag),
    )


@router.get("/preview")
async def preview(
    owner: BoardDep,
    user: Looking,
    rights: RightsDep,
    action: Annotated[str, Query(max_length=20)],
    day: WantedDate,
    source: Annotated[str | None, Query(max_length=520)] = None,
    flow: Annotated[str | None, Query(max_length=250)] = None,
    until: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """What an action would start."""
    if action in FLOW_ACTIONS and flow and not source:
        dag_id = await asyncio.to_thread(access.readable_dag, flow, user)
        return JSONResponse(of_flow(action, dag_id, day).to_json())
    if action in SOURCE_ACTIONS and source and not flow:
        return await _preview_source(owner, user, rights, action, source, day, until)
    raise HTTPException(
        422,
        f"give one of {', '.join(SOURCE_ACTIONS)} and a source, or one of {', '.join(FLOW_ACTIONS)} and a flow",
    )


async def _preview_source(
    owner: BoardDep,
    user: Looking,
    rights: Rights,
    action: SourceAction,
    name: str,
    day: dt.date,
    until: str | None,
) -> Response:
    await asyncio.to_thread(access.readable_source, name, rights, user)
    answer = await owner.ours.read("board_launches", name, day, shared=0)
    if answer.row is None or answer.stale:
        raise HTTPException(503, "Postgres cannot be read now: what would start is not known")
    found = await asyncio.to_thread(of_source, action, name, day, until, answer.row, rights.readable)
    return JSONResponse(found.to_json())
