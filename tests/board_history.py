"""Both sides of the board after more than a year: our Postgres, and Airflow's metadata, with the same flows."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, Final

import asyncpg

from airflow_readiness import engine
from airflow_readiness.core.condition import Condition, combine, of_source
from airflow_readiness.core.names import LAUNCH_GROUP, SOURCE_GROUP, launch_name, launch_uri, source_uri
from airflow_readiness.store.migrate import upgrade
from airflow_readiness.store.store import open_store
from tests.history import live_through

#: Sources of one flow.
EACH: Final = 7

_RUNS: Final = """
insert into dag_run (dag_id, run_id, state, run_type, run_after, queued_at, start_date, end_date, partition_key,
                     clear_number, log_template_id)
select dag_id, 'run_' || ago, case when ago = 0 then 'running' else 'success' end, 'asset_triggered',
       at, at, at, at + interval '5 minutes', ($2::date - ago)::text, 0, null
from generate_series($1::int, 0, -1) as ago
cross join unnest($3::text[]) as dag_id
cross join lateral (select ($2::date - ago) + interval '2 hours' as at) as instants
where ago > 0 or dag_id < 'flow_5'
"""


def condition_of(number: int, sources: int) -> Condition:
    """What a flow waits for; nobody waits for a source whose number ends in 0."""
    first = number * (EACH - 5)
    names = [f"bench.s{each % sources}" for each in range(first, first + EACH) if each % 10]
    return combine("all", [of_source(name) for name in names])


async def our_side(dsn: dict[str, Any], sources: int, flows: int, days: int, logs: int) -> None:
    """The schema, settings of every source, and everything that happened up to yesterday; today has begun."""
    connection = await asyncpg.connect(**dsn)
    await upgrade(connection)
    await connection.close()
    async with open_store(dsn) as store:
        await store.connection.execute("update readiness.deployment set default_deadline = '23:59:59'")
        await store.connection.execute(
            "select readiness.set_log_settings('bench', 's' || n, 23, 30 + n % 30, null, null, 1) "
            "from generate_series(0, $1::int - 1) as n, generate_series(1, 3) as version",
            sources,
        )
        rows = []
        for number in range(flows):
            condition = condition_of(number, sources)
            rows.append(
                {
                    "dag_id": f"flow_{number}",
                    "condition": condition.text,
                    "expression": condition.to_json(),
                    "sources": list(condition.sources),
                    "paused": False,
                    "broken": False,
                }
            )
        await store.run("upsert_flows", rows)
        await store.connection.execute("update readiness.flow set first_date = current_date - $1::int", days)
        await live_through(store.connection, days, sources, logs)
        now = await engine.clock(store)
        for part in ("processor", "collector", "registrar"):
            await store.run("beat", part, now, {"mode": "notifications", "triggerers": 1, "flows": flows})
        await engine.tick(store, everything=True)
        # some have come
        await store.connection.execute(
            "insert into readiness.fm_log (source_database, source_table, business_date, load_id, row_count) "
            "select 'bench', 's' || n, current_date, 'today_' || n, 1000 "
            "from generate_series(0, $1::int - 1) as n where n % 3 > 0",
            sources,
        )
        await engine.tick(store, everything=True)
        await store.connection.execute("vacuum analyze", timeout=600)


async def their_side(
    connection: asyncpg.Connection, today: dt.date, sources: int, flows: int, days: int
) -> None:
    """The same flows in Airflow, with a run for each date."""
    dag_ids = [f"flow_{number}" for number in range(flows)]
    conditions = [condition_of(number, sources) for number in range(flows)]
    await connection.execute(
        "insert into dag_bundle (name, active) values ('board', true) on conflict do nothing"
    )
    await connection.execute(
        "insert into dag (dag_id, is_paused, is_stale, max_active_tasks, max_consecutive_failed_dag_runs, "
        "has_task_concurrency_limits, bundle_name, timetable_partitioned, timetable_type, "
        "partition_mapper_info) "
        "select d, false, false, 16, 0, false, 'board', true, '', '{}' from unnest($1::text[]) as d",
        dag_ids,
    )
    launches = {launch_uri(each.text): each for each in conditions}
    await _assets(
        connection,
        [
            (launch_name(each.text, single=False), uri, {"condition": each.to_json()})
            for uri, each in launches.items()
        ],
        LAUNCH_GROUP,
    )
    names = [f"bench.s{number}" for number in range(sources)]
    await _assets(connection, [(name, source_uri(name), {}) for name in names], SOURCE_GROUP)
    pairs = [(dag_id, launch_uri(each.text)) for dag_id, each in zip(dag_ids, conditions, strict=True)]
    pairs += [
        (dag_id, source_uri(name))
        for dag_id, each in zip(dag_ids, conditions, strict=True)
        for name in each.sources
    ]
    await connection.execute(
        "insert into dag_schedule_asset_reference (dag_id, asset_id, created_at, updated_at) "
        "select p.dag_id, a.id, now(), now() from unnest($1::text[], $2::text[]) as p (dag_id, uri) "
        "join asset as a using (uri)",
        [dag_id for dag_id, _ in pairs],
        [uri for _, uri in pairs],
    )
    await connection.execute(_RUNS, days, today, dag_ids, timeout=600)
    await connection.execute("vacuum analyze", timeout=600)


async def _assets(connection: asyncpg.Connection, rows: list[tuple[str, str, Any]], group: str) -> None:
    columns = [row[0] for row in rows], [row[1] for row in rows], [json.dumps(row[2]) for row in rows]
    await connection.execute(
        'insert into asset (name, uri, "group", extra, created_at, updated_at) '
        "select name, uri, $4, extra::json, now(), now() "
        "from unnest($1::text[], $2::text[], $3::text[]) as r (name, uri, extra)",
        *columns,
        group,
    )
    await connection.execute(
        "insert into asset_active (name, uri) select * from unnest($1::text[], $2::text[])",
        columns[0],
        columns[1],
    )
