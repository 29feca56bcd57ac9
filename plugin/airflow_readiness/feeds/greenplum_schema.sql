-- The schema readiness in Greenplum 6 and 7; 'airflow readiness greenplum sql' prints it. May be applied again.
--
-- Greenplum 6 is PostgreSQL 9.4. No table says "distributed by": Greenplum distributes by the primary key.
-- Rights: users need select on the view source_log and the tables; who releases, usage of the schema, and
-- select, insert, update on log_setting; the login of the DAG, select on log_setting, and select, insert,
-- delete on source_log_data, processed_log and sync_state, and temporary tables.

create schema if not exists readiness;

------------------------------------------------------------------------- settings, written at release

create table if not exists readiness.log_setting (
    release_id text primary key,
    source_database text not null,
    source_table text not null,
    deadline_hour integer not null,
    deadline_minute integer not null,
    read_from_hour integer,
    read_from_minute integer,
    log_count integer not null,
    released_at timestamptz not null,
    released_by text not null,
    superseded_at timestamptz
);
comment on table readiness.log_setting is
    'Settings per source; those with superseded_at null are the latest. A DAG loads them into Postgres';

create or replace function readiness.check_clock(hour integer, minute integer, what text) returns void
language plpgsql immutable as $$
begin
    if hour is null or hour not between 0 and 23 then
        raise exception '% hour % is not an hour', what, coalesce(hour::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Give a whole number from 0 to 23.';
    end if;
    if minute is null or minute not between 0 and 59 then
        raise exception '% minute % is not a minute', what, coalesce(minute::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Give a whole number from 0 to 59.';
    end if;
end $$;

create or replace function readiness.check_name(value text, what text) returns void
language plpgsql immutable as $$
begin
    if value is null or value !~ '^[A-Za-z0-9_][A-Za-z0-9_$-]{0,254}$' then
        raise exception '% % is not a name', what, coalesce(quote_literal(left(value, 300)), 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'Use letters, digits, "_", "-" or "$", 255 at the most.';
    end if;
end $$;

create or replace function readiness.set_log_settings(
    database text,
    "table" text,
    deadline_hour integer,
    deadline_minute integer,
    read_from_hour integer,
    read_from_minute integer,
    log_count integer
) returns text
language plpgsql as $$
declare
    new_id text;
    now_at timestamptz;
begin
    perform readiness.check_name($1, 'database');
    perform readiness.check_name($2, 'table');
    perform readiness.check_clock($3, coalesce($4, 0), 'deadline');
    if $5 is not null or $6 is not null then
        perform readiness.check_clock($5, coalesce($6, 0), 'read_from');
    end if;
    if $7 is null or $7 < 1 then
        raise exception 'log_count % is below 1', coalesce($7::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Give the number of log rows that are needed.';
    end if;
    -- one release after the other, so that the order of their times is that of their commits
    lock table readiness.log_setting in exclusive mode;
    select greatest(clock_timestamp(), max(released_at) + interval '1 microsecond')
    into now_at from readiness.log_setting;
    -- here, on the master: segments may have clocks of their own
    new_id := md5(now_at::text || random()::text || $1 || '.' || $2);
    update readiness.log_setting set superseded_at = now_at
    where source_database = $1 and source_table = $2 and superseded_at is null;
    insert into readiness.log_setting
        (release_id, source_database, source_table, deadline_hour, deadline_minute, read_from_hour,
         read_from_minute, log_count, released_at, released_by)
    values (new_id, $1, $2, $3, coalesce($4, 0), $5, case when $5 is not null then coalesce($6, 0) end, $7,
            now_at, session_user);
    return new_id;
end $$;
comment on function readiness.set_log_settings(text, text, integer, integer, integer, integer, integer) is
    'At release: database, table, deadline hour and minute, hour and minute from which logs are read (or null), '
    'number of log rows. Supersedes the settings in force; those are kept.';

----------------------------------------------------------------------- what comes from Postgres, to be read

create table if not exists readiness.source_log_data (
    log_key text primary key,
    fm_table text not null,
    source_database text,
    source_table text,
    business_date date,
    logged_at timestamptz not null,
    load_id text,
    row_count bigint
);

create or replace view readiness.source_log as
select fm_table, source_database, source_table, business_date, logged_at, load_id, row_count
from readiness.source_log_data;
comment on view readiness.source_log is 'The readiness logs of all fm tables, as Postgres has or had them';

create table if not exists readiness.processed_log (
    source_database text not null,
    source_table text not null,
    business_date date not null,
    state text not null,
    log_count integer not null,
    logs json not null,
    row_count bigint,
    last_log_at timestamptz,
    setting_id bigint,
    needed integer not null,
    window_start timestamptz,
    deadline_at timestamptz,
    window_end timestamptz,
    ready_at timestamptz,
    missed_at timestamptz,
    changed_at timestamptz not null,
    closed boolean not null,
    primary key (source_database, source_table, business_date)
);
comment on table readiness.processed_log is 'Logs, settings and result per source and business date';

-- When each of them was last equal to what Postgres has.
create table if not exists readiness.sync_state (
    mirror text primary key,
    compared_at timestamptz not null
);
