-- What the feeds ask Greenplum. Greenplum 6 is PostgreSQL 9.4: no ON CONFLICT, no named arguments.

-- name: prepare
-- Both sides: so that values are the same text here and there. SET reaches the segments too.
set datestyle to 'ISO';
set timezone to 'UTC';

-- name: missing
-- Both sides: which of these tables and views are not there.
select wanted.name
from unnest(%(tables)s::text[]) as wanted (name)
where wanted.name not in (
    select c.relname::text from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = 'readiness'
)
order by wanted.name;

-- name: releases
-- Settings: what was released since, in the order of release.
select release_id, source_database, source_table, deadline_hour, deadline_minute, read_from_hour,
       read_from_minute, log_count, released_at, released_by, superseded_at
from readiness.log_setting
where released_at >= coalesce(%(since)s::timestamptz, '-infinity')
order by released_at;

-- name: compared_at
-- Mirror: the last time that a table was found to be, or made, equal.
select compared_at from readiness.sync_state where mirror = %(mirror)s;

-- name: forget_compared_at
-- Mirror: before it is written anew, in the same transaction.
delete from readiness.sync_state where mirror = %(mirror)s;

-- name: save_compared_at
-- Mirror: equal, as of then.
insert into readiness.sync_state (mirror, compared_at) values (%(mirror)s, %(compared_at)s);

-- name: digest
-- Both sides: what each bucket is like.
select bucket, count(*), sum(('x' || substr(md5(fingerprint), 1, 15))::bit(60)::bigint)::text
from ({rows}) as r
group by bucket;

-- name: source_log_rows
-- Mirror: as the query of this name in postgres.sql.
select to_char(logged_at, 'YYYY-MM-DD HH24') as bucket, row(log_key, row_count)::text as fingerprint
from readiness.source_log_data
where logged_at >= coalesce(%(since)s::timestamptz, '0002-01-01 00:00+00')
  and logged_at < '9999-01-01 00:00+00';

-- name: processed_log_rows
-- Mirror: as the query of this name in postgres.sql.
select to_char(business_date, 'YYYY-MM-DD ') || substr(md5(source_database || '.' || source_table), 1, 2)
           as bucket,
       row(source_database, source_table, business_date, state, log_count, logs::text, row_count, last_log_at,
           setting_id, needed, window_start, deadline_at, window_end, ready_at, missed_at, changed_at,
           closed)::text as fingerprint
from readiness.processed_log
where changed_at >= coalesce(%(since)s::timestamptz, '-infinity');

-- name: stage
-- Mirror: where a batch arrives. It is distributed as the table is, and empty after each transaction.
create temp table if not exists {staged} (like {table}) on commit delete rows;

-- name: fill
-- Mirror: the batch, as text.
copy {staged} ({columns}) from stdin;

-- name: remove
-- Mirror: the rows that the batch brings anew.
delete from {table} as t using {staged} as s where {same_key};

-- name: add
-- Mirror: the batch.
insert into {table} ({columns}) select {columns} from {staged};
