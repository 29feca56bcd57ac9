-- What the feeds ask the Postgres that holds the schema readiness. Parameters as psycopg writes them.

-- name: alone
-- Every feed: whether nobody else is at this work. Held until the end of the transaction.
select pg_try_advisory_xact_lock(7304, hashtext(%(work)s));

-- name: clock
-- Mirror: this database's clock.
select clock_timestamp();

------------------------------------------------------------------------------------------- ingest

-- name: ingest_state
-- Ingest: how far a system was read, this database's clock and the deployment's time zone.
select s.read_to, s.complaint, clock_timestamp(), d.timezone
from readiness.deployment as d
left join readiness.ingest_state as s on s.system = %(system)s;

-- name: new_logs
-- Ingest: the places in a batch of the rows that are not there. An insert of nothing would ring too.
select c.place::integer
from unnest(%(source_databases)s::text[], %(source_tables)s::text[], %(business_dates)s::date[],
            %(load_ids)s::text[])
     with ordinality as c (source_database, source_table, business_date, load_id, place)
where not exists (
    select from readiness.fm_log as l
    where l.ingested_from = %(system)s and l.source_database = c.source_database
      and l.source_table = c.source_table and l.load_id = c.load_id
      and coalesce(l.business_date, '-infinity') = coalesce(c.business_date, '-infinity')
);

-- name: insert_logs
-- Ingest: a batch; what is there already stays as it is.
insert into readiness.fm_log (source_database, source_table, business_date, logged_at, load_id, row_count,
                              ingested_from)
select c.*, %(system)s
from unnest(%(source_databases)s::text[], %(source_tables)s::text[], %(business_dates)s::date[],
            %(logged_ats)s::timestamptz[], %(load_ids)s::text[], %(row_counts)s::bigint[]) as c
on conflict do nothing;

-- name: save_ingest_state
-- Ingest: read so far. A row from the future must not take the mark with it.
insert into readiness.ingest_state as s (system, read_to, read_at, complaint)
select %(system)s, case when c.read_to > c.now_at then c.now_at else c.read_to end, c.now_at, %(complaint)s
from (select %(read_to)s::timestamptz as read_to, clock_timestamp() as now_at) as c
on conflict (system) do update set
    read_to = greatest(s.read_to, excluded.read_to), read_at = excluded.read_at, complaint = excluded.complaint;

---------------------------------------------------------------------------- settings from Greenplum

-- name: last_release
-- Settings: the newest release of Greenplum that is known here.
select max(released_at) from readiness.greenplum_release;

-- name: known_releases
-- Settings: what is known here since.
select release_id, source_database, source_table, released_at from readiness.greenplum_release
where released_at >= %(since)s;

-- name: set_log_settings
-- Settings: put a release in force.
select readiness.set_log_settings(%(source_database)s, %(source_table)s, %(deadline_hour)s, %(deadline_minute)s,
                                  %(read_from_hour)s, %(read_from_minute)s, %(log_count)s);

-- name: release_known
-- Settings: in force or refused, it is known from now on.
insert into readiness.greenplum_release
    (release_id, source_database, source_table, released_at, released_by, setting_id, refused)
values (%(release_id)s, %(source_database)s, %(source_table)s, %(released_at)s, %(released_by)s,
        %(setting_id)s, %(refused)s);

------------------------------------------------------------------------------------- mirrored tables

-- name: copy_out
-- Mirror: the rows of these buckets (null: of all), as text.
copy (
    select {columns} from ({rows}) as r
    where %(buckets)s::text[] is null or bucket = any (%(buckets)s::text[])
) to stdout;

-- The rows of a mirror: the bucket that is compared as a whole, what says whether a row is the same in
-- Greenplum, and the columns that go there.

-- name: source_log_rows
-- Mirror: the logs by the hour. The same log twice is one row in Greenplum.
select distinct on (log_key) to_char(logged_at, 'YYYY-MM-DD HH24') as bucket,
       row(log_key, row_count)::text as fingerprint, *
from (
    select md5(row(fm_table, source_database, source_table, business_date, logged_at, load_id)::text) as log_key,
           fm_table, source_database, source_table, business_date, logged_at, load_id, row_count
    from readiness.source_log
    where logged_at >= coalesce(%(since)s::timestamptz, '0002-01-01 00:00+00')
      and logged_at < '9999-01-01 00:00+00'
) as keyed
order by log_key, row_count desc nulls last;

-- name: processed_log_rows
-- Mirror: what was judged, by date and a 256th of the sources: of ten thousand sources few change at a time.
select to_char(business_date, 'YYYY-MM-DD ') || substr(md5(source_database || '.' || source_table), 1, 2)
           as bucket,
       row(source_database, source_table, business_date, state, log_count, logs::text, row_count, last_log_at,
           setting_id, needed, window_start, deadline_at, window_end, ready_at, missed_at, changed_at,
           closed)::text as fingerprint, *
from readiness.processed_log
where changed_at >= coalesce(%(since)s::timestamptz, '-infinity');
