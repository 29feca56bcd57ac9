-- What these days launched, once the flows are registered.
insert into readiness.launch (condition, business_date, decided_at, evidence, attempts, attempted_at, published_at)
select f.condition, p.business_date, max(coalesce(least(p.ready_at, p.deadline_at), p.deadline_at)) as at,
       jsonb_build_object('sources', jsonb_object_agg(
           p.source, jsonb_build_object('outcome', case p.state when 'ready' then 'ready' else 'deadline' end))),
       1, max(p.deadline_at), max(p.deadline_at)
from (select distinct condition, sources from readiness.flow) as f
join readiness.processed_log as p on p.source = any (f.sources)
where p.business_date >= current_date - 32 and p.closed
group by f.condition, p.business_date
on conflict do nothing;

insert into readiness.launch_run (dag_id, business_date, condition, run_id)
select f.dag_id, l.business_date, f.condition, 'asset_triggered__' || l.business_date
from readiness.flow as f join readiness.launch as l using (condition)
where l.business_date < current_date - 1
on conflict do nothing;
