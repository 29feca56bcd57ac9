-- Ninety days of the sources of night.py, up to yesterday. {zone} and {minutes} are replaced: those after five
-- at which the picture is taken, so that it is always the same one.
with usual (source_table, source_database, settled, spread, deadline) as (values
    ('fx_rates', 'hive', interval '4 hours 18 min' + interval '{minutes} min', 34, interval '5 hours 30 min' + interval '{minutes} min'),
    ('orders_eu', 'hive', interval '5 hours 10 min' + interval '{minutes} min', 25, interval '6 hours 20 min' + interval '{minutes} min'),
    ('sales', 'hive', interval '4 hours 10 min', 20, interval '6 hours 30 min'),
    ('stores', 'hive', interval '4 hours 25 min', 14, interval '6 hours 30 min'),
    ('contacts', 'crm', interval '3 hours 40 min', 40, interval '4 hours 35 min'),
    ('invoices', 'crm', interval '2 hours 55 min', 30, interval '3 hours 45 min')
), days as (
    select u.*, ago, (now() at time zone '{zone}')::date - ago as day,
           -- the same night each time the screenshots are made
           (ago * 7919 + length(source_table) * 104729) % 97 as chance
    from usual as u cross join generate_series(1, 90) as ago
), arrived as (
    select *, (day + deadline) at time zone '{zone}' as deadline_at,
           case when chance = 11 then null
                when chance in (3, 40) then (day + deadline + interval '21 min') at time zone '{zone}'
                else (day + settled + (chance % spread) * interval '1 min') at time zone '{zone}' end as ready_at
    from days
)
insert into readiness.processed_log (
    source_database, source_table, business_date, state, log_count, needed, last_log_at, window_start, deadline_at,
    window_end, ready_at, missed_at, changed_at, closed, event_published_at)
select source_database, source_table, day,
       case when ready_at is null then 'missed' when ready_at > deadline_at then 'late' else 'ready' end,
       (ready_at is not null)::integer, 1, ready_at, deadline_at - interval '10 hours', deadline_at, deadline_at,
       ready_at, case when ready_at is null or ready_at > deadline_at then deadline_at end,
       coalesce(ready_at, deadline_at), true, coalesce(ready_at, deadline_at)
from arrived;

insert into readiness.fm_log (source_database, source_table, business_date, logged_at, load_id, row_count)
select source_database, source_table, business_date, ready_at, 'load-' || to_char(business_date, 'MMDD'),
       1100000 + (extract(epoch from ready_at)::bigint % 97000)
from readiness.processed_log where ready_at is not null;
