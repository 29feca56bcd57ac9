"""``airflow readiness repair``: starts one flow that missed its launch, for one date, and nothing else.

It refuses whatever would break the contract: a launch that was not made (never early), a run that is
there, on its way, or about to be published for all flows of the launch (never twice).
"""

from __future__ import annotations

import asyncio
import datetime as dt
import difflib
import json
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from airflow_readiness import config
from airflow_readiness.core.condition import Condition, Moment, Verdict
from airflow_readiness.core.dates import parse_date
from airflow_readiness.core.explain import explain
from airflow_readiness.errors import ReadinessError, Refused
from airflow_readiness.launch_context import EXTRA
from airflow_readiness.schedule import condition_of_asset
from airflow_readiness.store.store import POSTGRES_DOWN, Store, open_store, readiness_of

if TYPE_CHECKING:
    from airflow_readiness.airflow_metadata import FlowSeen, Seen

    Look = Callable[[dt.datetime, Iterable[tuple[str, str]]], Seen]
    StartRun = Callable[[str, str, dict[str, object]], bool]


def command(flow: str, date: str, *, as_json: bool) -> int:
    """Repair, and print what came of it. Returns the exit code: 0 started, 1 refused, 2 it cannot be done."""

    async def work() -> str:
        day = parse_date(date)
        # the models of Airflow: not for a typing error
        from airflow_readiness.airflow_metadata import look, run_id, start_run

        endpoint = await asyncio.to_thread(lambda: config.postgres_endpoint(config.load()))
        async with open_store(endpoint) as store:
            await repair(store, look, start_run, run_id(day.isoformat()), flow, day)
        return run_id(day.isoformat())

    answer: dict[str, str | None] = {"flow": flow, "date": date, "run_id": None, "refused": None}
    code = 0
    try:
        answer["run_id"] = asyncio.run(work())
    except Refused as error:
        answer["refused"], code = str(error), 1
    except ReadinessError as error:
        answer["refused"], code = str(error), 2
    except POSTGRES_DOWN as error:
        answer["refused"], code = f"Postgres cannot be used: {error}", 2
    if as_json:
        print(json.dumps(answer))
    elif answer["refused"]:
        print(answer["refused"], file=sys.stderr)
    else:
        print(f"started flow {flow} for {date}: run {answer['run_id']}")
    return code


async def repair(store: Store, look: Look, start_run: StartRun, run_id: str, dag_id: str, day: dt.date) -> None:
    """Start one flow for one date.

    :param look: reads Airflow; blocking
    :param start_run: starts a run (DAG id, partition key, conf); blocking
    :param run_id: the id that it gives the run
    :raises Refused: if the flow may not be started, saying why
    """
    key = day.isoformat()
    # first our launch, then Airflow's runs: an event that is published in between has its run by then
    (now,) = await store.fetch("clock")
    seen = await asyncio.to_thread(look, now["now"], [])
    condition = able(seen.flows, dag_id)
    evidence = await _launched(store, condition, dag_id, day)
    seen = await asyncio.to_thread(look, now["now"], [(dag_id, key)])
    if (dag_id, key) not in seen.runs:
        raise Refused(f"a run of {dag_id} for {key} is on its way: Airflow's scheduler makes it")
    if there := seen.runs[dag_id, key]:
        raise Refused(f"{dag_id} has a run for {key} already: {there}; to run it again, clear that one")
    try:
        started = await asyncio.to_thread(start_run, dag_id, key, {EXTRA: evidence})
    except Exception as error:
        raise Refused(f"Airflow cannot start {dag_id} for {key} ({type(error).__name__}: {error})") from error
    if not started:
        raise Refused(f"{dag_id} was started for {key} at this moment, by the registrar: run {run_id}")
    await store.run("runs_seen", [dag_id], [day], [condition.text], [run_id])
    await store.run_pairs("repaired", [(dag_id, day)])


def able(flows: list[FlowSeen], dag_id: str) -> Condition:
    """What a flow waits for, if it is able to run."""
    flow = next((flow for flow in flows if flow.dag_id == dag_id), None)
    if flow is None:
        near = difflib.get_close_matches(dag_id, {flow.dag_id for flow in flows}, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "a flow is a DAG with schedule=ready(…)"
        raise Refused(f"there is no flow {dag_id!r}: {hint}")
    if flow.paused:
        raise Refused(f"{dag_id} is paused: unpause it (airflow dags unpause {dag_id}) and it starts by itself")
    if flow.broken:
        raise Refused(
            f"{dag_id} is broken: its file does not import or is gone (airflow dags list-import-errors); "
            "once it is mended it starts by itself"
        )
    return condition_of_asset(flow.asset_extra)


async def _launched(store: Store, condition: Condition, dag_id: str, day: dt.date) -> object:
    """The evidence of the launch, if it was made and published."""
    rows = await store.fetch("launch", condition.text, day)
    if not rows:
        raise Refused(f"{dag_id} is not launched for {day}: {await _waits_for(store, condition, day)}")
    if rows[0]["decision"] == "skipped" and rows[0]["published_at"] is None:
        raise Refused(
            f"{dag_id} is skipped for {day}: its own deadline had passed, as was found at "
            f"{rows[0]['decided_at']:%Y-%m-%d %H:%M} UTC; to run it all the same, trigger it by hand"
        )
    if rows[0]["published_at"] is None:
        raise Refused(
            f"the launch of {dag_id} for {day} is about to be published for all of its flows: if it does not "
            "come, run 'airflow readiness doctor'"
        )
    return rows[0]["evidence"]


async def _waits_for(store: Store, condition: Condition, day: dt.date) -> str:
    rows = await store.fetch_pairs("states", [(name, day) for name in condition.sources])
    (now,), (deployment,) = await store.fetch("clock"), await store.fetch("deployment")
    moment = Moment(now["now"], day, deployment["timezone"])
    states = {row["source"]: readiness_of(row) for row in rows}
    if condition.evaluate(states, moment).verdict is Verdict.WAITING:
        return "it waits for " + "; ".join(explain(condition, states, moment))
    return "its sources are ready or past their deadline, but no flow was judged for this date"
