-- What a screen of the board asks, each in one statement. Lists are JSON (json, not jsonb: it is only written
-- once, and read by Python); instants in it are ISO 8601.

-- name: board_date
-- Tonight, or another date: every source that is judged for it, every flow, and who is at work. When a source
-- usually comes is what readiness.usual_arrival() says, here for all at once: twelve such weekdays by date.
with usual as materialized (
    select a.source_database, a.source_table, count(*)::integer as samples,
           percentile_cont(array[0.5, 0.9]) within group (
               order by (a.ready_at at time zone d.timezone) - a.business_date::timestamp) as came
    from readiness.deployment as d
    cross join readiness.arrived as a
    where a.business_date = any (array(select $1::date - ago from generate_series(7, 84, 7) as ago))
    group by a.source_database, a.source_table
)
select d.timezone, clock_timestamp() as now,
       (select max(published_at) from readiness.launch) as last_event_at,
       coalesce((select json_object_agg(part, json_build_object('beat_at', beat_at, 'detail', detail))
                 from readiness.heartbeat), '{}') as beats,
       to_json(array(
           select json_build_object(
               'source', p.source, 'state', p.state, 'log_count', p.log_count, 'needed', p.needed,
               'ready_at', p.ready_at, 'deadline_at', p.deadline_at, 'window_start', p.window_start,
               'window_end', p.window_end, 'last_log_at', p.last_log_at, 'known_at', p.changed_at,
               'configured', p.setting_id is not null, 'by_hand', p.by_hand,
               'on_deadline', p.on_deadline,
               'samples', coalesce(u.samples, 0),
               'usual', case when u.samples >= 10 then extract(epoch from u.came[1]) end,
               'slow', case when u.samples >= 10 then extract(epoch from u.came[2]) end,
               'usual_at', case when u.samples >= 10
                                then (p.business_date::timestamp + u.came[1]) at time zone d.timezone end,
               'slow_at', case when u.samples >= 10
                               then (p.business_date::timestamp + u.came[2]) at time zone d.timezone end)
           from readiness.processed_log as p
           left join usual as u using (source_database, source_table)
           where p.business_date = $1 and p.deadline_at is not null
       )) as sources,
       to_json(array(
           select json_build_object(
               'dag_id', f.dag_id, 'first_date', f.first_date, 'decided_at', l.decided_at,
               'published_at', l.published_at, 'verdict', l.evidence ->> 'verdict',
               'decision', l.decision,
               'outcomes', (select json_object_agg(s.key, s.value -> 'outcome')
                            from jsonb_each(l.evidence -> 'sources') as s),
               'run_id', r.run_id)
           from readiness.flow as f
           left join readiness.launch as l on l.condition = f.condition and l.business_date = $1
           left join readiness.launch_run as r on r.dag_id = f.dag_id and r.business_date = $1
           where f.gone_at is null
       )) as flows
from readiness.deployment as d;

-- name: board_health
-- Who is at work.
select d.timezone, clock_timestamp() as now,
       (select max(published_at) from readiness.launch) as last_event_at,
       coalesce((select json_object_agg(part, json_build_object('beat_at', beat_at, 'detail', detail))
                 from readiness.heartbeat), '{}') as beats
from readiness.deployment as d;

-- name: board_flow
-- The tab of a flow: $1 the flow, $2 the date, $3 its sources, $4 the last of thirty days.
select d.timezone, clock_timestamp() as now, f.dag_id, f.condition, f.expression, f.first_date, f.paused, f.broken,
       f.gone_at, l.decided_at, l.published_at, l.decision, l.evidence, r.run_id, r.dag_id is not null as looked_for,
       coalesce((select json_object_agg(part, json_build_object('beat_at', beat_at, 'detail', detail))
                 from readiness.heartbeat), '{}') as beats,
       (select count(*)::integer from readiness.launch_run as m
        where m.dag_id = $1 and m.run_id is null) as dropped,
       to_json(array(
           select json_build_object(
               'source', c.source, 'state', p.state, 'log_count', p.log_count, 'needed', p.needed,
               'ready_at', p.ready_at, 'deadline_at', p.deadline_at, 'window_start', p.window_start,
               'window_end', p.window_end, 'last_log_at', p.last_log_at, 'known_at', p.changed_at,
               'configured', p.setting_id is not null, 'by_hand', p.by_hand,
               'on_deadline', p.on_deadline,
               'samples', u.samples, 'usual', extract(epoch from u.usual), 'slow', extract(epoch from u.slow),
               'usual_at', ($2::date::timestamp + u.usual) at time zone d.timezone,
               'slow_at', ($2::date::timestamp + u.slow) at time zone d.timezone,
               'last_logs', array(
                   select json_build_object('logged_at', g.logged_at, 'load_id', left(g.load_id, 200),
                                             'row_count', g.row_count, 'fm_table', g.fm_table)
                   from (
                       (select * from readiness.source_log
                        where source_database = split_part(c.source, '.', 1)
                          and source_table = split_part(c.source, '.', 2) and business_date = $2
                        order by logged_at desc limit 5)
                       union all
                       (select * from readiness.source_log
                        where source_database = split_part(c.source, '.', 1)
                          and source_table = split_part(c.source, '.', 2) and business_date is null
                          and logged_at >= p.window_start and logged_at < p.window_end
                        order by logged_at desc limit 5)
                   ) as g
                   order by g.logged_at desc limit 5))
           from unnest($3::text[]) as c (source)
           left join readiness.processed_log as p
               on p.source = c.source and p.business_date = $2 and p.deadline_at is not null
           cross join lateral readiness.usual_arrival(
               split_part(c.source, '.', 1), split_part(c.source, '.', 2), $2) as u
           order by c.source
       )) as sources,
       to_json(array(
           select json_build_object('at', a.at, 'action', a.action, 'done_by', a.done_by, 'reason', a.reason,
                                     'source', a.source, 'dag_id', a.dag_id, 'detail', a.detail)
           from readiness.audit as a
           where a.business_date = $2 and (a.source = any ($3) or a.dag_id = $1)
           order by a.audit_id
       )) as by_hand,
       to_json(array(
           select json_build_object(
               'day', n.day, 'decided_at', nl.decided_at, 'decision', nl.decision, 'run_id', nr.run_id,
               'due', w.due, 'without', w.without,
               'missed', w.missed, 'late_by', w.late_by)
           from (select $4::date - ago as day from generate_series(29, 0, -1) as ago) as n
           left join readiness.launch_run as nr on nr.dag_id = $1 and nr.business_date = n.day
           left join readiness.launch as nl
               on nl.condition = coalesce(nr.condition, f.condition) and nl.business_date = n.day
           left join lateral (
               -- the sources that it was launched without, and what became of them
               select (count(*) filter (where e.past))::integer as without,
                      (count(*) filter (where e.past and p.state is distinct from 'late'))::integer as missed,
                      extract(epoch from max(p.ready_at - p.deadline_at) filter (where e.past)) as late_by,
                      coalesce(bool_or(o.value ->> 'outcome' <> 'not_due'), true) as due
               from jsonb_each(nl.evidence -> 'sources') as o
               cross join lateral (
                   select o.value ->> 'outcome' = 'deadline'
                          and nl.evidence ->> 'verdict' is distinct from 'ready' as past
               ) as e
               left join readiness.processed_log as p
                   on e.past and p.source = o.key and p.business_date = n.day
           ) as w on true
           order by n.day
       )) as days
from readiness.deployment as d
left join readiness.flow as f on f.dag_id = $1
left join readiness.launch as l on l.condition = f.condition and l.business_date = $2
left join readiness.launch_run as r on r.dag_id = $1 and r.business_date = $2;

-- name: board_source
-- The page of a source: $1 its database, $2 its table, $3 today. Its last log rows are those of this month.
select d.timezone, clock_timestamp() as now,
       coalesce((select json_object_agg(part, json_build_object('beat_at', beat_at, 'detail', detail))
                 from readiness.heartbeat), '{}') as beats,
       exists (select from readiness.processed_log
               where source_database = $1 and source_table = $2) as judged,
       json_build_object(
           'source', $1::text || '.' || $2::text, 'state', p.state, 'log_count', p.log_count, 'needed', p.needed,
           'ready_at', p.ready_at, 'deadline_at', p.deadline_at, 'window_start', p.window_start,
           'window_end', p.window_end, 'last_log_at', p.last_log_at, 'known_at', p.changed_at,
           'configured', p.setting_id is not null, 'by_hand', p.by_hand,
               'on_deadline', p.on_deadline, 'samples', u.samples,
           'usual', extract(epoch from u.usual), 'slow', extract(epoch from u.slow),
           'usual_at', ($3::date::timestamp + u.usual) at time zone d.timezone,
           'slow_at', ($3::date::timestamp + u.slow) at time zone d.timezone) as today,
       to_json(array(
           select json_build_object(
               'what', h.what, 'valid_from', h.valid_from, 'valid_to', h.valid_to, 'set_by', h.set_by,
               'scope', h.scope)::jsonb || h.said
           from (
               (select 'settings' as what, s.valid_from, s.valid_to, s.set_by, s.scope,
                       jsonb_build_object('deadline', to_char(s.deadline, 'HH24:MI'),
                                          'read_from', to_char(s.read_from, 'HH24:MI'),
                                          'log_count', s.log_count) as said
                from readiness.log_setting as s
                where s.source_database = $1 and s.source_table = $2
                order by s.valid_from desc limit 50)
               union all
               (select 'options', o.valid_from, o.valid_to, o.set_by, o.scope,
                       jsonb_build_object('on_late', o.on_late, 'on_deadline', o.on_deadline,
                                          'calendar', o.calendar, 'owner', o.owner,
                                          'description', left(o.description, 1000))
                from readiness.source_option as o
                where o.source_database = $1 and o.source_table = $2
                order by o.valid_from desc limit 50)
           ) as h
           order by h.valid_from desc, h.what
       )) as history,
       to_json(array(
           select json_build_object('logged_at', g.logged_at, 'load_id', left(g.load_id, 200),
                                     'row_count', g.row_count, 'fm_table', g.fm_table,
                                     'business_date', g.business_date)
           from (
               (select * from readiness.source_log
                where source_database = $1 and source_table = $2
                  and business_date between $3::date - 30 and $3::date + 1
                order by logged_at desc limit 20)
               union all
               (select * from readiness.source_log
                where source_database = $1 and source_table = $2 and business_date is null
                  and logged_at >= ($3::date - 30)::timestamp at time zone d.timezone
                order by logged_at desc limit 20)
           ) as g
           order by g.logged_at desc limit 20
       )) as last_logs,
       to_json(array(
           select json_build_object('date', a.business_date, 'ready_at', a.ready_at, 'deadline_at', a.deadline_at,
                                     'state', a.state)
           from (
               select business_date, ready_at, deadline_at, state from readiness.processed_log
               where source_database = $1 and source_table = $2 and deadline_at is not null
                 and business_date between $3::date - 89 and $3
               union all
               select business_date, ready_at, deadline_at, state from readiness.arrival
               where source_database = $1 and source_table = $2
                 and business_date between $3::date - 89 and $3
           ) as a
           order by a.business_date
       )) as arrivals
from readiness.deployment as d
left join readiness.processed_log as p on p.source_database = $1 and p.source_table = $2
    and p.business_date = $3 and p.deadline_at is not null
cross join lateral readiness.usual_arrival($1, $2, $3) as u;

-- name: board_launches
-- What an action on a source would start: the flows that wait for it on a date, and how all their sources stand.
with waiting as materialized (
    select f.dag_id, f.condition, f.expression, f.sources, f.paused, f.broken, l.decided_at
    from readiness.flow as f
    left join readiness.launch as l on l.condition = f.condition and l.business_date = $2
    where f.gone_at is null and f.first_date <= $2 and f.sources @> array[$1::text]
)
select d.timezone, clock_timestamp() as now,
       to_json(array(select json_build_object('dag_id', dag_id, 'expression', expression, 'paused', paused,
                                       'broken', broken, 'decided_at', decided_at)
             from waiting order by dag_id)) as flows,
       to_json(array(
           select json_build_object(
               'source', p.source, 'state', p.state, 'log_count', p.log_count, 'needed', p.needed,
               'ready_at', p.ready_at, 'deadline_at', p.deadline_at, 'window_start', p.window_start,
               'configured', p.setting_id is not null, 'by_hand', p.by_hand,
               'on_deadline', p.on_deadline)
           from readiness.processed_log as p
           where p.business_date = $2 and p.deadline_at is not null
             and (p.source = $1 or p.source in (select unnest(sources) from waiting))
       )) as sources
from readiness.deployment as d;
