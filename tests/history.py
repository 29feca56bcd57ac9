"""A past for the schema: logs of earlier business dates, what became of them, and launches."""

from __future__ import annotations

import asyncpg

#: Built again once the rows are there.
_INDEXES = ("fm_log_dated", "fm_log_undated")

_LOGS = """
insert into readiness.fm_log (source_database, source_table, business_date, logged_at, load_id, row_count)
select 'bench', 's' || source, case when log % 2 = 0 then current_date - day end,
       (current_date - day) + interval '1 hour' + log * interval '1 minute',
       'load_' || day || '_' || source || '_' || log, 1000
from generate_series($1::int, 1, -1) as day, generate_series(0, $3::int - 1) as log,
     generate_series(0, $2::int - 1) as source
"""

# one in fifty missed its deadline, one in fifty was late; of one in ten no flow knows, so that Airflow has no
# asset of it and never records its event
_PROCESSED = """
insert into readiness.processed_log (
    source_database, source_table, business_date, state, log_count, logs, row_count, last_log_at, needed,
    window_start, deadline_at, window_end, ready_at, missed_at, changed_at, closed, event_published_at)
select 'bench', 's' || source, day, state, $3, logs.logs, 1000 * $3, day + interval '2 hours', 1,
       day, day + interval '23 hours', day + interval '1 day',
       case when state <> 'missed' then day + interval '1 hour' end,
       case when state <> 'ready' then day + interval '23 hours' end,
       day + interval '1 day', state <> 'ready', case when source % 10 > 0 then day + interval '1 day' end
from generate_series($1::int, 1, -1) as ago
cross join lateral (select (current_date - ago)::timestamptz as day) as days
cross join generate_series(0, $2::int - 1) as source
cross join lateral (
    select case source % 50 when 7 then 'missed' when 8 then 'late' else 'ready' end as state
) as s
cross join (
    select jsonb_agg(jsonb_build_object('load_id', 'load_' || n, 'logged_at', now(), 'row_count', 1000)) as logs
    from generate_series(1, least($3::int, 20)) as n
) as logs
"""

# what a launch says of its sources is long: it lies beside the table, as it would
_LAUNCHES = """
insert into readiness.launch
    (condition, business_date, decided_at, evidence, attempts, attempted_at, published_at)
select condition, current_date - ago, at, jsonb_build_object('condition', expression, 'of', repeat(dag_id, 30)),
       1, at, at
from generate_series($1::int, 1, -1) as ago
cross join lateral (select (current_date - ago) + interval '1 hour' as at) as instants
cross join (select distinct on (condition) * from readiness.flow) as f
"""

_RUNS = """
insert into readiness.launch_run (dag_id, business_date, condition, run_id)
select dag_id, current_date - ago, condition, 'run_' || ago
from generate_series($1::int, 1, -1) as ago cross join readiness.flow
"""


async def live_through(connection: asyncpg.Connection, days: int, sources: int, logs: int) -> None:
    """So many days up to yesterday, in the past of the flows that are there.

    :param sources: ``bench.s0`` and so on; of those whose number ends in 0 no flow should know
    :param logs: rows of each source and day: half of them name their business date
    """
    definitions = await connection.fetch(
        "select indexdef from pg_indexes where schemaname = 'readiness' and indexname = any ($1)", _INDEXES
    )
    checks = await connection.fetch(
        "select conname, pg_get_constraintdef(oid) as text from pg_constraint "
        "where conrelid = 'readiness.fm_log'::regclass and contype = 'c'"
    )
    async with connection.transaction():
        # what is faster without them; they stand again before anything is measured
        await connection.execute("set local maintenance_work_mem = '512MB'; set local synchronous_commit = off")
        await connection.execute("alter table readiness.fm_log disable trigger user")
        for index in _INDEXES:
            await connection.execute(f"drop index readiness.{index}")
        for check in checks:
            await connection.execute(f'alter table readiness.fm_log drop constraint "{check["conname"]}"')
        await connection.execute(_LOGS, days, sources, logs, timeout=600)
        for check in checks:
            await connection.execute(
                f'alter table readiness.fm_log add constraint "{check["conname"]}" {check["text"]} not valid'
            )
        for definition in definitions:
            await connection.execute(definition["indexdef"], timeout=600)
        await connection.execute("alter table readiness.fm_log enable trigger user")
        await connection.execute(_PROCESSED, days, sources, logs, timeout=600)
        await connection.execute(_LAUNCHES, days, timeout=600)
        await connection.execute(_RUNS, days, timeout=600)
    await connection.execute("vacuum analyze", timeout=600)
