-- Each query is one step of the way of a log row; who asks it stands in its first line.

-- name: advance
-- Engine: apply the settings to the logs; what changed.
select source, business_date, state, deadline_at, log_count, needed, ready_at, window_end,
       setting_id is not null as configured, by_hand, on_deadline
from readiness.advance($1);

-- name: clock
-- Every part: the database's clock.
select clock_timestamp() as now;

-- name: serialise
-- Engine: one step at a time, until the end of the transaction; advance() takes the same lock. A client
-- that is cut off in the middle of its step must not keep it: its end is not heard of by TCP for hours.
select set_config('idle_in_transaction_session_timeout', '10s', true), pg_advisory_xact_lock(7303, 0);

-- name: due_plans
-- Engine: unlaunched (condition, date) that fall due by a time of their flow's own; they are planned anew.
with due as (
    delete from readiness.launch_plan where due_at <= $1 returning condition, business_date
)
select distinct f.condition, f.expression, d.business_date
from due as d
join readiness.flow as f on f.condition = d.condition and f.gone_at is null and d.business_date >= f.first_date
where not exists (select from readiness.launch as l
                  where l.condition = d.condition and l.business_date = d.business_date);

-- name: plan
-- Engine: when these (condition, date) fall due if nothing more arrives.
insert into readiness.launch_plan (condition, business_date, due_at)
select * from unnest($1::text[], $2::date[], $3::timestamptz[])
on conflict (condition, business_date) do update set due_at = excluded.due_at
    where launch_plan.due_at <> excluded.due_at;

-- name: take_bell
-- Processor: rely on the bell, if nobody is under way who logged in a storm; the lock goes with the session.
select pg_try_advisory_lock(7303, 3) as mine;

-- name: end_storm
-- Processor: from now on everybody rings.
update readiness.deployment set storm = false where storm;

-- name: begin_storm
-- Processor: from now on nobody needs to ring.
with flag as (update readiness.deployment set storm = true)
select pg_advisory_unlock(7303, 3);

-- name: next_wake
-- Engine: when there is something to do although nobody rings.
select readiness.next_wake($1) as wake_at;

-- name: touched_pairs
-- Engine: unlaunched (condition, date) of the conditions that these sources touch.
select distinct f.condition, f.expression, c.business_date
from unnest($1::text[], $2::date[]) as c (source, business_date)
join readiness.flow as f on f.gone_at is null and f.sources @> array[c.source] and c.business_date >= f.first_date
where not exists (select from readiness.launch as l
                  where l.condition = f.condition and l.business_date = c.business_date);

-- name: open_pairs
-- Engine: every unlaunched (condition, date) that is to be judged, back to 31 days before an instant. Each
-- subquery is asked by index, per condition or date, however many launches there have been.
with recursive days as (
    select min(business_date) as day from readiness.processed_log where business_date >= $1::timestamptz::date - 31
    union all
    select (select min(business_date) from readiness.processed_log where business_date > day)
    from days where day is not null
)
select f.condition, f.expression, u.day as business_date
from (select distinct on (condition) condition, expression, sources, first_date
      from readiness.flow where gone_at is null order by condition, first_date) as f
cross join lateral (
    select day from days where day >= f.first_date
    except
    select business_date from readiness.launch
    where condition = f.condition and business_date >= $1::timestamptz::date - 31
) as u
cross join lateral (
    select from readiness.processed_log as p
    where p.source = any (f.sources) and p.business_date = u.day
      -- what was expected a moment ago is judged in the next step, with its deadline
      and p.deadline_at is not null
    limit 1
) as known;

-- name: states
-- Engine: what is known of these (source, date).
select p.source, p.business_date, p.state, p.deadline_at, p.log_count, p.needed, p.ready_at, p.window_end,
       p.setting_id is not null as configured, p.by_hand, p.on_deadline
from unnest($1::text[], $2::date[]) as c (source, business_date)
join readiness.processed_log as p using (source, business_date)
where p.deadline_at is not null;

-- name: insert_launches
-- Engine: the one decision on each condition for a date; nothing of one that was decided before.
with new as (
    insert into readiness.launch (condition, business_date, evidence, decided_at, decision)
    select c.condition, c.business_date, c.evidence, $4,
           case when c.evidence ->> 'verdict' in ('skipped', 'failed') then c.evidence ->> 'verdict'
                else 'launched' end
    from unnest($1::text[], $2::date[], $3::jsonb[]) as c (condition, business_date, evidence)
    on conflict do nothing
    returning condition, business_date
), over as (
    delete from readiness.launch_plan as p using new as n
    where p.condition = n.condition and p.business_date = n.business_date
)
select condition, business_date from new;

-- name: snapshot_states
-- Engine: everything that Redis should hold of sources.
select source, business_date, state, deadline_at, log_count, needed, ready_at, window_end,
       setting_id is not null as configured, by_hand, on_deadline
from readiness.processed_log
where deadline_at is not null and greatest(window_end, deadline_at) > now() - interval '3 days';

-- name: snapshot_launches
-- Engine: everything that Redis should hold of launches that Airflow has not recorded.
select condition, business_date, decided_at, evidence
from readiness.launch
where published_at is null and decision = 'launched';

-- name: deployment
-- Engine: who this Postgres is, and what holds in it.
select id::text as id, timezone, default_deadline, doorbell from readiness.deployment;

-- name: set_deployment
-- Engine: copy [readiness] into Postgres, where advance() reads it.
update readiness.deployment set timezone = $1, default_deadline = $2
where (timezone, default_deadline) is distinct from ($1, $2);

-- name: beat
-- Every part: I am at work. Of what it knew, it keeps what it does not say anew.
insert into readiness.heartbeat (part, beat_at, detail) values ($1, coalesce($2, clock_timestamp()), $3)
on conflict (part) do update set beat_at = excluded.beat_at, detail = heartbeat.detail || excluded.detail;

-- name: expect
-- Sensor: judge this date from now on.
select readiness.expect($1, $2, $3, $4);

-- name: outbox
-- Collector: launches that Airflow has not recorded and of which a flow is able to run. One that was
-- attempted comes back once the registrar has looked at Airflow since, and not seen it.
select l.condition, l.business_date, l.evidence, l.attempted_at
from readiness.launch as l
left join readiness.heartbeat as h on h.part = 'registrar'
where l.published_at is null and l.decision = 'launched'
  and exists (select from readiness.flow as f
              where f.condition = l.condition and f.gone_at is null and not f.paused and not f.broken)
  and (l.attempted_at is null
       or h.beat_at > l.attempted_at + interval '5 seconds'
       or clock_timestamp() > l.attempted_at + interval '60 seconds')
order by l.attempted_at is not null, l.decided_at, l.condition, l.business_date
limit $1;

-- name: ring_registrar
-- Collector: would the registrar look at Airflow now.
select pg_notify('readiness_registrar', '') from readiness.deployment where doorbell;

-- name: next_deadline
-- Collector: seconds until the next deadline, of a source or of a flow, to look around it whether Postgres
-- still answers.
select extract(epoch from least(
    (select min(deadline_at) from readiness.processed_log
     where state in ('waiting', 'missed') and not closed and state = 'waiting'
       and deadline_at > clock_timestamp()),
    (select min(due_at) from readiness.launch_plan where due_at > clock_timestamp())
) - clock_timestamp())::float as seconds;

-- name: attempt
-- Collector: these are about to be published, with what is known of them now.
update readiness.launch as l set attempts = attempts + 1, attempted_at = clock_timestamp()
from unnest($1::text[], $2::date[]) as c (condition, business_date)
where l.condition = c.condition and l.business_date = c.business_date
returning l.condition, l.business_date, l.evidence;

-- name: published
-- Registrar and collector: Airflow has recorded these. One that nobody decided was published by hand.
insert into readiness.launch (condition, business_date, decided_at, published_at, evidence)
select distinct on (condition, business_date) condition, business_date, published_at, published_at, evidence
from unnest($1::text[], $2::date[], $3::timestamptz[], $4::jsonb[])
     as c (condition, business_date, published_at, evidence)
order by condition, business_date, published_at
on conflict (condition, business_date) do update set published_at = excluded.published_at
    where launch.published_at is null
returning condition, business_date, decided_at, published_at, evidence;

-- name: repairs
-- Registrar: flows that missed their launch: published, no run, and none on its way when the registrar looked.
select r.dag_id, r.business_date, coalesce(again.evidence || jsonb_build_object('rerun', 0), l.evidence) as evidence
from readiness.launch_run as r
join readiness.launch as l using (condition, business_date)
join readiness.flow as f using (dag_id)
-- who starts late has the source that came late with it
left join lateral (
    select a.evidence from readiness.rerun as a
    where a.condition = l.condition and a.business_date = l.business_date order by a.number desc limit 1
) as again on true
where r.run_id is null and l.published_at is not null and f.gone_at is null and not f.paused and not f.broken
  and (r.repaired_at is null or r.repaired_at < clock_timestamp() - interval '60 seconds')
order by r.seen_at
limit $1;

-- name: repaired
-- Registrar: these flows are started by themselves.
update readiness.launch_run as r set repaired_at = clock_timestamp()
from unnest($1::text[], $2::date[]) as c (dag_id, business_date)
where r.dag_id = c.dag_id and r.business_date = c.business_date;

-- name: late_reruns
-- Engine: sources of the last month that came late, and whose flows are to be started again.
select source, business_date from readiness.processed_log
where state = 'late' and on_late = 'rerun' and business_date >= $1::timestamptz::date - 31;

-- name: touched_reruns
-- Engine: the same, of the conditions that these sources touch: one may wait for a start that another forbids.
with late as materialized (
    select source, business_date from readiness.processed_log
    where state = 'late' and on_late = 'rerun' and business_date = any ($2::date[])
)
select distinct l.source, l.business_date
from late as l
join readiness.flow as f on f.gone_at is null and f.sources @> array[l.source] and l.business_date >= f.first_date
cross join unnest(f.sources) as s
join unnest($1::text[], $2::date[]) as c (source, business_date)
    on c.source = s and c.business_date = l.business_date;

-- name: starts_without
-- Engine: what was decided of the conditions that these sources touch, and the evidence of the last start.
select distinct on (l.condition, l.business_date)
       l.condition, l.business_date, f.expression, l.decision, l.decided_at, l.published_at,
       l.decision = 'launched' and l.attempted_at is null and l.published_at is null as untaken,
       coalesce(again.number, 0) as number, coalesce(again.evidence, l.evidence) as evidence
from unnest($1::text[], $2::date[]) as c (source, business_date)
join readiness.flow as f on f.gone_at is null and f.sources @> array[c.source] and c.business_date >= f.first_date
join readiness.launch as l on l.condition = f.condition and l.business_date = c.business_date
left join lateral (
    select a.number, a.evidence from readiness.rerun as a
    where a.condition = l.condition and a.business_date = l.business_date order by a.number desc limit 1
) as again on true
order by l.condition, l.business_date;

-- name: tell_launch
-- Engine: a launch that no worker has taken is told what is known by now.
update readiness.launch set evidence = $3
where condition = $1 and business_date = $2 and attempted_at is null and published_at is null
  and decision = 'launched' and evidence <> $3;

-- name: insert_reruns
-- Engine: these are started again.
insert into readiness.rerun (condition, business_date, number, evidence, decided_at)
select c.condition, c.business_date, c.number, c.evidence, $5
from unnest($1::text[], $2::date[], $3::integer[], $4::jsonb[]) as c (condition, business_date, number, evidence)
on conflict do nothing;

-- name: reruns
-- Registrar: flows that are to be started again: that have had their run before, or never got one because the
-- launch was decided against. Of several reruns the last one has all in it.
select f.dag_id, a.business_date, a.number, a.evidence
from readiness.rerun as a
join readiness.launch as l using (condition, business_date)
join readiness.flow as f on f.condition = a.condition and f.gone_at is null and not f.paused and not f.broken
    and a.business_date >= f.first_date
left join readiness.launch_run as r on r.dag_id = f.dag_id and r.business_date = a.business_date
left join readiness.rerun_run as s
    on s.dag_id = f.dag_id and s.business_date = a.business_date and s.number = a.number
where s.run_id is null and (s.attempted_at is null or s.attempted_at < clock_timestamp() - interval '60 seconds')
  and not exists (select from readiness.rerun as later where later.condition = a.condition
                  and later.business_date = a.business_date and later.number > a.number)
  and (l.decision = 'skipped'
       or r.run_id is not null and (r.repaired_at is null or r.repaired_at < a.decided_at))
  and a.decided_at > clock_timestamp() - interval '31 days'
order by a.decided_at, f.dag_id
limit $1;

-- name: rerun_attempt
-- Registrar: this flow is started again.
insert into readiness.rerun_run (dag_id, business_date, number, attempted_at)
values ($1, $2, $3, clock_timestamp())
on conflict (dag_id, business_date, number) do update set attempted_at = excluded.attempted_at;

-- name: rerun_started
-- Registrar: and this is its run.
update readiness.rerun_run set run_id = $4 where dag_id = $1 and business_date = $2 and number = $3;

-- name: failures
-- Registrar: flows that are to have a run that has failed.
select f.dag_id, l.business_date, l.condition, l.evidence
from readiness.launch as l
join readiness.flow as f on f.condition = l.condition and f.gone_at is null and not f.paused and not f.broken
    and l.business_date >= f.first_date
left join readiness.launch_run as r on r.dag_id = f.dag_id and r.business_date = l.business_date
where l.decision = 'failed' and l.published_at is null and r.run_id is null
  and (r.repaired_at is null or r.repaired_at < clock_timestamp() - interval '60 seconds')
  and l.decided_at > clock_timestamp() - interval '31 days'
order by l.decided_at, f.dag_id
limit $1;

-- name: lineage
-- Collector: sources that settled and whose own asset event Airflow has not recorded. Only sources
-- that a flow or the collector names are assets in Airflow. An attempt was in vain if the registrar
-- does not see it a minute later (the worker or the API server had gone).
select p.source, p.business_date, p.state, p.deadline_at, p.log_count, p.needed, p.ready_at, p.window_end,
       p.setting_id is not null as configured, p.by_hand, p.on_deadline
from readiness.processed_log as p
where p.state <> 'waiting' and p.state <> 'not_due' and p.event_published_at is null
  and (p.event_attempted_at is null or p.event_attempted_at + interval '60 seconds'
       < (select beat_at from readiness.heartbeat where part = 'registrar'))
  and p.changed_at > now() - interval '3 days'
  and (p.source = any ($2::text[])
       or exists (select from readiness.flow as f where f.gone_at is null and f.sources @> array[p.source]))
order by p.changed_at
limit $1;

-- name: lineage_attempt
-- Collector: these source events are about to be published.
update readiness.processed_log as p set event_attempted_at = clock_timestamp()
from unnest($1::text[], $2::date[]) as c (source, business_date)
where p.source = c.source and p.business_date = c.business_date;

-- name: lineage_published
-- Registrar: Airflow has recorded these source events.
update readiness.processed_log as p set event_published_at = c.published_at
from unnest($1::text[], $2::date[], $3::timestamptz[]) as c (source, business_date, published_at)
where p.source = c.source and p.business_date = c.business_date and p.event_published_at is null;

-- name: try_registrar_lock
-- Registrar: one replica at a time; the lock goes with the session.
select pg_try_advisory_lock(7303, 2) as mine;

-- name: upsert_flows
-- Registrar: what Airflow has now. A flow that is new, or back, or waits for something else is judged
-- from today on.
insert into readiness.flow (dag_id, condition, expression, sources, paused, broken, first_date)
select c.dag_id, c.condition, c.expression, array(select jsonb_array_elements_text(c.sources)), c.paused, c.broken,
       (clock_timestamp() at time zone d.timezone)::date
from readiness.deployment as d
cross join jsonb_to_recordset($1) as c (
    dag_id text, condition text, expression jsonb, sources jsonb, paused boolean, broken boolean
)
on conflict (dag_id) do update set
    condition = excluded.condition, expression = excluded.expression, sources = excluded.sources,
    paused = excluded.paused, broken = excluded.broken, seen_at = clock_timestamp(), gone_at = null,
    first_date = case when flow.condition = excluded.condition and flow.gone_at is null
                      then flow.first_date else excluded.first_date end
where (flow.condition, flow.paused, flow.broken, flow.gone_at)
      is distinct from (excluded.condition, excluded.paused, excluded.broken, null)
returning dag_id;

-- name: flows_gone
-- Registrar: flows that are no longer in Airflow.
update readiness.flow set gone_at = clock_timestamp()
where gone_at is null and not dag_id = any ($1::text[])
returning dag_id;

-- name: runs_wanted
-- Registrar: published launches whose run of a flow has not been seen. By flow, so that it looks at no
-- launch that is older, and takes a while: once for all.
select f.dag_id, w.business_date, f.condition
from readiness.flow as f
cross join lateral (
    select l.business_date from readiness.launch as l
    where l.condition = f.condition and l.business_date >= greatest(f.first_date, current_date - 31)
      and l.published_at < clock_timestamp() - interval '3 seconds'
    except
    select r.business_date from readiness.launch_run as r
    where r.dag_id = f.dag_id and r.business_date >= current_date - 31 and r.run_id is not null
) as w
where f.gone_at is null;

-- name: runs_wanted_lately
-- Registrar: the same, of launches published since an instant, and of runs that are known to be missing.
select f.dag_id, l.business_date, l.condition
from readiness.launch as l
join readiness.flow as f on f.condition = l.condition and f.gone_at is null and l.business_date >= f.first_date
left join readiness.launch_run as r on r.dag_id = f.dag_id and r.business_date = l.business_date
where l.published_at >= $1 and l.published_at < clock_timestamp() - interval '3 seconds' and r.run_id is null
  and l.business_date >= current_date - 31
union
select r.dag_id, r.business_date, r.condition
from readiness.launch_run as r
join readiness.flow as f on f.dag_id = r.dag_id and f.condition = r.condition and f.gone_at is null
-- however old: a backfill asks for dates before the flow was known
where r.run_id is null;

-- name: runs_seen
-- Registrar: the runs that were found, and (run_id null) those that will not come by themselves.
insert into readiness.launch_run (dag_id, business_date, condition, run_id)
select * from unnest($1::text[], $2::date[], $3::text[], $4::text[])
on conflict (dag_id, business_date) do update set run_id = excluded.run_id, seen_at = clock_timestamp()
    where launch_run.run_id is null and excluded.run_id is not null;

-- name: heartbeats
-- CLI: when each part was last seen.
select part, beat_at, extract(epoch from clock_timestamp() - beat_at)::float as age, detail
from readiness.heartbeat order by part;

-- name: troubles
-- Health: deadlines that nobody has judged for a minute; launches that are stuck for as long although a
-- flow is able to run; launches that are held because none is; flows that wait for repair; alarms that
-- could not be sent.
with unpublished as (
    select l.condition || ' for ' || l.business_date as launch, l.decided_at, f.able,
           greatest(l.decided_at, f.able_since) as since
    from readiness.launch as l
    cross join lateral (
        select bool_or(not paused and not broken) as able,
               min(seen_at) filter (where not paused and not broken) as able_since
        from readiness.flow where condition = l.condition and gone_at is null
    ) as f
    where l.published_at is null and l.decision = 'launched' and f.able is not null
)
select case when able then 'stuck' else 'held' end as kind, count(*)::int as number,
       (array_agg(launch order by decided_at))[1:3] as first
from unpublished
where not able or since < clock_timestamp() - interval '60 seconds'
group by able
union all
select 'missed', count(*)::int, (array_agg(r.dag_id || ' for ' || r.business_date order by r.seen_at))[1:3]
from readiness.launch_run as r
join readiness.launch as l using (condition, business_date)
join readiness.flow as f using (dag_id)
where r.run_id is null and f.gone_at is null and not f.paused and not f.broken
  and greatest(r.seen_at, f.seen_at) < clock_timestamp() - interval '60 seconds'
union all
select 'overdue', count(*)::int, (array_agg(what || ' for ' || business_date order by due_at))[1:3]
from (
    select source as what, business_date, deadline_at as due_at
    from readiness.processed_log
    where state in ('waiting', 'missed') and not closed and state = 'waiting'
    union all
    select condition, business_date, due_at from readiness.launch_plan
) as waiting
where due_at < clock_timestamp() - interval '60 seconds'
union all
select 'unsent', count(*)::int, (array_agg(kind || ' of ' || source || ' for ' || business_date
                                           || ' by ' || notifier order by again_at desc))[1:3]
from readiness.alarm
where sent_at is null and attempts >= 5 and again_at > clock_timestamp() - interval '1 day';

-- name: sources_today
-- Processor: how today's sources stand, for the metrics.
select count(*) filter (where p.state = 'waiting')::int as waiting,
       count(*) filter (where p.state = 'missed')::int as missed
from readiness.deployment as d
join readiness.processed_log as p on p.business_date = (now() at time zone d.timezone)::date;

-- name: launch
-- CLI: the launch of a condition for a date.
select evidence, decided_at, published_at, decision from readiness.launch where condition = $1 and business_date = $2;

---------------------------------------------------------------------------------------------- operating

-- name: status
-- CLI: every source of a date, or of today and whatever is unmet; when it usually comes.
select p.source, p.business_date, p.state, p.log_count, p.needed, p.ready_at, p.deadline_at, p.window_start,
       p.setting_id is not null as configured, p.by_hand, p.on_deadline, u.samples, u.usual, u.slow,
       (p.business_date::timestamp + u.slow) at time zone d.timezone as slow_at
from readiness.deployment as d
join readiness.processed_log as p on p.business_date = $1
    or ($1::date is null and (p.business_date = (clock_timestamp() at time zone d.timezone)::date
                              or (p.state in ('waiting', 'missed') and not p.closed)))
cross join lateral readiness.usual_arrival(p.source_database, p.source_table, p.business_date) as u
where p.deadline_at is not null
order by p.state not in ('waiting', 'missed'), p.business_date desc, p.source;

-- name: sources_of
-- CLI: the same of these sources for a date, also of those that are not judged for it (state null).
select c.source, $2::date as business_date, p.state, p.log_count, p.needed, p.ready_at, p.deadline_at,
       p.window_start, p.setting_id is not null as configured, p.by_hand, p.on_deadline, u.samples, u.usual, u.slow,
       ($2::date::timestamp + u.slow) at time zone d.timezone as slow_at
from readiness.deployment as d
cross join unnest($1::text[]) as c (source)
left join readiness.processed_log as p
    on p.source = c.source and p.business_date = $2 and p.deadline_at is not null
cross join lateral readiness.usual_arrival(split_part(c.source, '.', 1), split_part(c.source, '.', 2), $2) as u
order by c.source;

-- name: flow
-- CLI: one flow, with its launch and its run for a date.
select f.dag_id, f.condition, f.expression, f.first_date, f.paused, f.broken, f.gone_at,
       l.decided_at, l.published_at, l.decision, l.evidence, r.run_id, r.repaired_at, r.dag_id is not null as looked_for
from readiness.flow as f
left join readiness.launch as l on l.condition = f.condition and l.business_date = $2
left join readiness.launch_run as r on r.dag_id = f.dag_id and r.business_date = $2
where f.dag_id = $1;

-- name: flow_names
-- CLI: to say which flow was meant.
select dag_id from readiness.flow where gone_at is null;

-- name: source_names
-- CLI: to say which source was meant.
select source_database || '.' || source_table as source from readiness.tracked_source;

-- name: flows_on
-- CLI: the flows that wait for a source on a date, and their launches.
select f.dag_id, f.paused, f.broken, l.decided_at, l.published_at
from readiness.flow as f
left join readiness.launch as l on l.condition = f.condition and l.business_date = $2
where f.gone_at is null and f.first_date <= $2 and f.sources @> array[$1::text]
order by f.dag_id;

-- name: mark_ready
-- CLI: this source counts as ready.
select readiness.mark_ready($1, $2, $3, $4, $5) as was;

-- name: skip
-- CLI: this source is not waited for.
select readiness.skip($1, $2, $3, $4, $5) as was;

-- name: extend
-- CLI: another deadline.
select waiting, launched from readiness.extend($1, $2, $3, $4, $5, $6);

-- name: report_log
-- CLI: a log row, as any log writer inserts it.
select readiness.report_log($1, $2, $3, $4, $5) as load_id;

-- name: audit
-- CLI: somebody asks for this.
insert into readiness.audit (action, done_by, reason, dag_id, business_date, detail)
values ($1, $2, $3, $4, $5, $6);

-- name: audit_of
-- CLI: what was done by hand to these sources, or to this flow, for a date.
select at, action, done_by, reason, source, dag_id, detail
from readiness.audit
where business_date = $3 and (source = any ($1::text[]) or dag_id = $2)
order by audit_id;

-- name: expect_dates
-- CLI, backfill: judge these dates from now on.
select readiness.expect(split_part(s, '.', 1), split_part(s, '.', 2), d, null)
from unnest($1::text[]) as s cross join unnest($2::date[]) as d
where not exists (select from readiness.processed_log as p where p.source = s and p.business_date = d);

-- name: reopen_dates
-- CLI, backfill: look once more at what is missing there; its logs may have come when its window was over.
update readiness.processed_log set closed = false, changed_at = null
where state = 'missed' and closed and source = any ($1::text[]) and business_date = any ($2::date[]);

-- name: unjudged
-- CLI, backfill: how many of these no step has looked at yet.
select count(*)::int as number
from readiness.processed_log
where source = any ($1::text[]) and business_date = any ($2::date[]) and changed_at is null;

-- name: launches_of
-- CLI, backfill: what is known of a flow's launches for these dates.
select d as business_date, l.decided_at, l.published_at, l.decision, r.dag_id is not null as looked_for, r.run_id
from unnest($3::date[]) as d
left join readiness.launch as l on l.condition = $2 and l.business_date = d
left join readiness.launch_run as r on r.dag_id = $1 and r.business_date = d;

-- name: flows_beside
-- CLI, backfill: other flows that an event of this condition starts.
select dag_id from readiness.flow where condition = $1 and dag_id <> $2 and gone_at is null order by dag_id;

-- name: launch_alone
-- CLI, backfill: launches of which one flow alone is to run. They count as published, so that nobody
-- publishes them for every flow; the registrar starts the flow, as one that has missed its launch.
with made as (
    insert into readiness.launch (condition, business_date, evidence, decided_at, published_at)
    select c.condition, c.business_date, c.evidence, clock_timestamp(), clock_timestamp()
    from unnest($1::text[], $2::date[], $3::jsonb[]) as c (condition, business_date, evidence)
    on conflict do nothing
    returning condition, business_date
)
insert into readiness.launch_run (dag_id, business_date, condition)
select $4, business_date, condition from made
on conflict do nothing
returning business_date;

-- name: runs_of
-- CLI, backfill: which of these dates have a run of the flow by now.
select business_date, run_id from readiness.launch_run
where dag_id = $1 and business_date = any ($2::date[]) and run_id is not null;

-- name: prunable
-- Retention: how many rows there are to delete.
select count(*)::bigint as number from readiness.prunable($1, $2);

-- name: prune
-- Retention: delete one batch.
select readiness.prune($1, $2, $3) as deleted;

-- name: ring_alarms
-- Engine: a source was missed, or came late.
select pg_notify('readiness_alarm', '') from readiness.deployment where doorbell;

-- name: alarms_due
-- Alarms: whether there is something to tell; $1 and $2 are the kinds and the notifiers, in pairs.
select
from readiness.alarm_event as e
join unnest($1::text[], $2::text[]) as n (kind, notifier) using (kind)
left join readiness.alarm as a using (source, business_date, kind, notifier)
where e.kind = any ($1::text[])
  and (a.source is null or (a.sent_at is null and a.attempts < 5 and a.again_at <= clock_timestamp()))
limit 1;

-- name: next_alarm
-- Alarms: seconds until a source is at risk, or a notifier is tried again.
select extract(epoch from min(at) - clock_timestamp())::float as seconds
from (
    select risk_at as at from readiness.risk where risk_at > clock_timestamp() and 'at_risk' = any ($1::text[])
    union all
    select again_at from readiness.alarm
    where sent_at is null and attempts < 5 and again_at > clock_timestamp()
) as instants;

-- name: claim_alarms
-- Alarms: these are ours for ten minutes, those that failed before the last.
with due as (
    select e.source, e.business_date, e.kind, n.notifier
    from readiness.alarm_event as e
    join unnest($1::text[], $2::text[]) as n (kind, notifier) using (kind)
    left join readiness.alarm as a using (source, business_date, kind, notifier)
    where e.kind = any ($1::text[])
      and (a.source is null or (a.sent_at is null and a.attempts < 5 and a.again_at <= clock_timestamp()))
    order by a.attempts nulls first, e.business_date, e.source, e.kind
    limit $3
),
claimed as (
    insert into readiness.alarm as a (source, business_date, kind, notifier, again_at)
    select source, business_date, kind, notifier, clock_timestamp() + interval '10 minutes' from due
    on conflict (source, business_date, kind, notifier) do update
        set attempts = a.attempts + 1, again_at = excluded.again_at
        where a.sent_at is null and a.again_at <= clock_timestamp()
    returning a.source, a.business_date, a.kind, a.notifier, a.attempts
)
select c.*, clock_timestamp() as now, p.state, p.log_count, p.needed, p.ready_at, p.deadline_at, u.samples, u.usual, u.slow,
       array(select f.dag_id from readiness.flow as f
             where f.gone_at is null and f.sources @> array[c.source] order by f.dag_id) as flows
from claimed as c
join readiness.processed_log as p using (source, business_date)
cross join lateral readiness.usual_arrival(p.source_database, p.source_table, p.business_date) as u;

-- name: alarm_sent
-- Alarms: told; never again.
update readiness.alarm set sent_at = clock_timestamp(), error = null
where source = $1 and business_date = $2 and kind = $3 and notifier = $4;

-- name: alarm_failed
-- Alarms: to be tried again, a minute later each time.
update readiness.alarm set error = $5, again_at = clock_timestamp() + attempts * interval '1 minute'
where source = $1 and business_date = $2 and kind = $3 and notifier = $4;

---------------------------------------------------------------------------------------------- settings

-- name: serialise_settings
-- CLI: one change of settings at a time, until the end of the transaction.
select pg_advisory_xact_lock(7303, 5);

-- name: in_scope
-- CLI: whose settings these are, until the end of the transaction.
select set_config('readiness.scope', $1, true);

-- name: settings_in_force
-- CLI: the settings in force, of one source or of all.
select coalesce(s.source_database, o.source_database) || '.' || coalesce(s.source_table, o.source_table) as source,
       s.setting_id is not null as configured, coalesce(s.deadline, d.default_deadline) as deadline, s.read_from,
       coalesce(s.log_count, 1) as log_count, coalesce(o.on_late, 'ignore') as on_late,
       coalesce(o.on_deadline, 'run') as on_deadline, o.calendar, o.owner, o.description,
       case when s.setting_id is null then o.scope else s.scope end as scope,
       greatest(s.valid_from, o.valid_from) as since,
       case when s.valid_from >= o.valid_from or o.option_id is null then s.set_by else o.set_by end as set_by
from (select * from readiness.log_setting where valid_to is null) as s
full join (select * from readiness.source_option where valid_to is null) as o
    on o.source_database = s.source_database and o.source_table = s.source_table
cross join readiness.deployment as d
where $1::text is null
   or $1 = coalesce(s.source_database, o.source_database) || '.' || coalesce(s.source_table, o.source_table);

-- name: settings_history
-- CLI: all versions of one source's settings.
select 'settings' as what, valid_from, valid_to, set_by, scope, deadline, read_from, log_count,
       null as on_late, null as on_deadline, null::text[] as calendar, null as owner, null as description
from readiness.log_setting where source_database = $1 and source_table = $2
union all
select 'options', valid_from, valid_to, set_by, scope, null, null, null, on_late, on_deadline, calendar, owner,
       description
from readiness.source_option where source_database = $1 and source_table = $2
order by valid_from, what;

-- name: set_log_settings
-- CLI: the seven of one source.
select readiness.set_log_settings($1, $2, $3, $4, $5, $6, $7);

-- name: set_source_options
-- CLI: the named settings of one source; null: as it is.
select readiness.set_source_options($1, $2, $3, $4, $5, $6, $7);

-- name: retire_source
-- CLI: no settings of this source are in force any more.
select readiness.retire_source($1, $2);
