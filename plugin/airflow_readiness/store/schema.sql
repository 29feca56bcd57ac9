-- The schema of airflow-readiness, as it is today. Migrations lead here; a test proves it.
-- PostgreSQL 13 or newer. Instants are timestamptz; a business date is a date.

create schema if not exists readiness;
comment on schema readiness is 'airflow-readiness: which source is ready for which business date';

create table readiness.migration (
    version integer primary key,
    name text not null,
    applied_at timestamptz not null default clock_timestamp(),
    applied_by text not null default session_user
);

-- One row: what holds for the whole deployment. The processor copies it from [readiness] in airflow.cfg.
create table readiness.deployment (
    only_row boolean primary key default true check (only_row),
    timezone text not null default 'UTC',
    default_deadline time not null default '06:00',
    doorbell boolean not null default true,
    -- it has rung too often of late: the processor looks by itself
    storm boolean not null default false,
    id uuid not null default gen_random_uuid()
);
insert into readiness.deployment default values;

-- When each part of the system was last seen at work, by the clock of this database.
create table readiness.heartbeat (
    part text primary key,
    beat_at timestamptz not null,
    detail jsonb not null default '{}'
);

---------------------------------------------------------------------------------------- the doorbell

-- A bell, not a queue: it says which table rang, once a statement. advance() finds out what has changed.
-- In a storm none rings who gets a share of the lock that the processor holds while it relies on the bell:
-- before it does so again, it waits for the end of all those. What it hears of a flow it has to hear.
create function readiness.ring() returns trigger
language plpgsql security definer set search_path = pg_catalog, readiness as $$
begin
    -- one statement: each costs every transaction anew
    perform pg_notify('readiness', tg_table_name) from readiness.deployment
    where doorbell and not (storm and tg_table_name <> 'flow' and pg_try_advisory_xact_lock_shared(7303, 3));
    return null;
end $$;

-------------------------------------------------------------------------------------------- the logs

create table readiness.fm_log (
    source_database text not null,
    source_table text not null,
    business_date date,
    logged_at timestamptz not null default clock_timestamp(),
    load_id text not null default gen_random_uuid()::text,
    row_count bigint,
    reported_by text not null default session_user,
    -- the outside system that an ingest DAG read it from
    ingested_from text,
    -- no {0,254}: for that, every row costs a hundred times the memory and the time
    constraint "source_database must be letters, digits, '_', '-' or '$'"
        check (source_database ~ '^[A-Za-z0-9_][A-Za-z0-9_$-]*$' and length(source_database) <= 255),
    constraint "source_table must be letters, digits, '_', '-' or '$'"
        check (source_table ~ '^[A-Za-z0-9_][A-Za-z0-9_$-]*$' and length(source_table) <= 255),
    constraint "load_id must not be empty" check (load_id <> ''),
    constraint "row_count must not be negative" check (row_count >= 0),
    -- what every client can hold, also by another hour
    constraint "logged_at must be of the years 2 to 9998"
        check (logged_at >= '0002-01-01 00:00+00' and logged_at < '9999-01-01 00:00+00')
);
comment on table readiness.fm_log is 'The default fm table: one row says that a source was loaded';
create index fm_log_dated on readiness.fm_log (source_database, source_table, business_date);
create index fm_log_undated on readiness.fm_log (source_database, source_table, logged_at)
    where business_date is null;
-- what is read again and again is there once
create unique index fm_log_ingested on readiness.fm_log
    (ingested_from, source_database, source_table, load_id, coalesce(business_date, '-infinity'))
    where ingested_from is not null;
-- the latest, for Greenplum; costs next to nothing where rows come in the order of time
create index fm_log_logged_at on readiness.fm_log using brin (logged_at) with (autosummarize = on);
create trigger ring after insert on readiness.fm_log
    for each statement execute function readiness.ring();

-- Which tables the view source_log stands on, and how their columns are called.
create table readiness.fm_table (
    fm_table text primary key,
    select_list text not null,
    registered_at timestamptz not null default clock_timestamp(),
    registered_by text not null default session_user
);

create view readiness.source_log as
select 'readiness.fm_log'::text as fm_table, source_database, source_table, business_date, logged_at,
       load_id, row_count
from readiness.fm_log;
comment on view readiness.source_log is 'The readiness logs of all fm tables';

-- What is no ISO date becomes one that no batch is for, so that one bad row stops nothing. 'today' is none.
create function readiness.date_or_never(value text) returns date
language plpgsql immutable parallel safe as $$
begin
    if value !~ '^\d{4}-?\d{2}-?\d{2}' then
        return '-infinity'::date;
    end if;
    return value::date;
exception when others then
    return '-infinity'::date;
end $$;

create function readiness.rebuild_source_log() returns void
language plpgsql as $$
declare
    parts text;
begin
    select string_agg(format('select %L::text as fm_table, %s from %s', fm_table, select_list, fm_table),
                      ' union all ' order by fm_table)
    into parts from readiness.fm_table;
    execute 'create or replace view readiness.source_log as '
        'select ''readiness.fm_log''::text as fm_table, source_database, source_table, business_date, '
        'logged_at, load_id, row_count from readiness.fm_log' || coalesce(' union all ' || parts, '');
end $$;

create function readiness.register_fm_table(
    fm_table regclass,
    source_database name,
    source_table name,
    logged_at name,
    load_id name default null,
    business_date name default null,
    row_count name default null,
    doorbell boolean default true
) returns void
-- without a search path, a table's name is written in full
language plpgsql set search_path = pg_catalog as $$
declare
    missing name;
    known text;
    zone constant text := '(select timezone from readiness.deployment)';
    types jsonb;
    rings boolean;
    logged_expression text;
    load_expression text;
    date_expression text := 'null::date';
    count_expression text := 'null::bigint';
    wanted name[] := array_remove(array[source_database, source_table, logged_at, load_id, business_date,
                                        row_count], null);
begin
    if (select relnamespace from pg_class where oid = fm_table) = 'readiness'::regnamespace then
        raise exception '% is readiness''s own', fm_table using errcode = 'wrong_object_type',
            hint = 'readiness.fm_log is read without being registered. Register a table of another schema.';
    end if;
    select string_agg(attname, ', ' order by attnum), jsonb_object_agg(attname, format_type(atttypid, null))
    into known, types
    from pg_attribute where attrelid = fm_table and attnum > 0 and not attisdropped;
    select w into missing from unnest(wanted) as w where not types ? w limit 1;
    if missing is not null then
        raise exception 'table % has no column "%"', fm_table, missing
            using errcode = 'undefined_column', hint = 'Its columns are: ' || known;
    end if;
    if source_database is null or source_table is null or logged_at is null then
        raise exception 'name the columns that hold the source''s database, its table and the time of the log'
            using errcode = 'null_value_not_allowed', hint = 'The columns of ' || fm_table || ' are: ' || known;
    end if;

    logged_expression := case types ->> logged_at
        when 'timestamp with time zone' then format('%I', logged_at)
        -- one row beyond all years must not stop everybody's
        when 'timestamp without time zone' then format(
            'case when %1$I between ''0002-01-01'' and ''9998-12-31'' then %1$I at time zone %2$s end',
            logged_at, zone)
    end;
    if logged_expression is null then
        raise exception 'column "%" of % is %, and the time of a log must be a timestamp',
            logged_at, fm_table, types ->> logged_at using errcode = 'datatype_mismatch',
            hint = 'Name a column of type timestamptz (or timestamp, read in the deployment''s time zone).';
    end if;
    load_expression := format('(%s)::text', logged_expression);
    if load_id is not null then
        load_expression := format('coalesce(%I::text, %s)', load_id, load_expression);
    end if;
    if business_date is not null then
        date_expression := case types ->> business_date
            when 'date' then format('%I', business_date)
            when 'timestamp without time zone' then format('%I::date', business_date)
            when 'timestamp with time zone' then format(
                'case when %1$I between ''0002-01-01'' and ''9998-12-31'' or %1$I is null '
                'then (%1$I at time zone %2$s)::date else ''-infinity'' end', business_date, zone)
            else format('readiness.date_or_never(%I::text)', business_date)
        end;
    end if;
    if row_count is not null then
        if types ->> row_count not in ('smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision') then
            raise exception 'column "%" of % is %, and a number of rows must be a number',
                row_count, fm_table, types ->> row_count using errcode = 'datatype_mismatch',
                hint = 'Name a column of a numeric type, or none.';
        end if;
        -- NaN and what no bigint holds count as unknown
        count_expression := format('case when %1$I between 0 and 1e15 then %1$I::bigint end', row_count);
    end if;

    insert into readiness.fm_table (fm_table, select_list) values (
        fm_table::text,
        format('%I::text, %I::text, %s, %s, %s, %s', source_database, source_table, date_expression,
               logged_expression, load_expression, count_expression))
    on conflict on constraint fm_table_pkey do update
        set select_list = excluded.select_list, registered_at = clock_timestamp(), registered_by = session_user;
    perform readiness.rebuild_source_log();

    rings := exists (select from pg_trigger where tgrelid = fm_table and tgname = 'readiness_ring');
    if doorbell and not rings then
        execute format('create trigger readiness_ring after insert on %s '
                       'for each statement execute function readiness.ring()', fm_table);
    elsif rings and not doorbell then
        execute format('drop trigger readiness_ring on %s', fm_table);
    end if;
    if not exists (
        select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
        where i.indrelid = fm_table and a.attname in (register_fm_table.source_database,
                                                      register_fm_table.source_table)
    ) then
        raise notice 'no index of % begins with its source: create index on % (%, %, %)',
            fm_table, fm_table, source_database, source_table, coalesce(business_date, logged_at);
    end if;
end $$;

-- Before the table is dropped: the view stands on it.
create function readiness.unregister_fm_table(fm_table regclass) returns void
language plpgsql set search_path = pg_catalog as $$
begin
    delete from readiness.fm_table as t where t.fm_table = unregister_fm_table.fm_table::text;
    if not found then
        raise exception '% is not registered', fm_table using errcode = 'undefined_object',
            hint = 'select fm_table from readiness.fm_table shows what is.';
    end if;
    perform readiness.rebuild_source_log();
    execute format('drop trigger if exists readiness_ring on %s', fm_table);
end $$;

create function readiness.check_source(database text, "table" text) returns void
language plpgsql immutable as $$
begin
    if (database ~ '^[A-Za-z0-9_][A-Za-z0-9_$-]*$' and length(database) <= 255) is not true then
        raise exception 'database % is not a name', coalesce(quote_literal(left(database, 300)), 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'Use letters, digits, "_", "-" or "$", 255 at the most; '
                         'the table is an argument of its own.';
    end if;
    if ("table" ~ '^[A-Za-z0-9_][A-Za-z0-9_$-]*$' and length("table") <= 255) is not true then
        raise exception 'table % is not a name', coalesce(quote_literal(left("table", 300)), 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'Use letters, digits, "_", "-" or "$", 255 at the most.';
    end if;
end $$;

-- Beyond these years an instant, or its date in another time zone, is none for Python and other clients.
create function readiness.check_instant(what text, value timestamptz) returns void
language plpgsql immutable as $$
begin
    if value < '0002-01-01 00:00+00' or value >= '9999-01-01 00:00+00' then
        raise exception '% % is out of range', what, value
            using errcode = 'invalid_parameter_value', hint = 'Give an instant of the years 2 to 9998, or null.';
    end if;
end $$;

create function readiness.report_log(
    database text,
    "table" text,
    business_date date default null,
    row_count bigint default null,
    load_id text default null,
    logged_at timestamptz default null
) returns text
language plpgsql as $$
declare
    written text;
begin
    -- all in one, which is cheap; only what fails it is looked at more closely, and told
    if (database ~ '^[A-Za-z0-9_][A-Za-z0-9_$-]*$' and length(database) <= 255
        and "table" ~ '^[A-Za-z0-9_][A-Za-z0-9_$-]*$' and length("table") <= 255
        and coalesce(row_count, 0) >= 0 and logged_at is null and load_id is distinct from '') is not true then
        perform readiness.check_source(database, "table");
        if row_count < 0 then
            raise exception 'row_count % is negative', row_count
                using errcode = 'invalid_parameter_value', hint = 'Give the number of rows loaded, or null.';
        end if;
        perform readiness.check_instant('logged_at', logged_at);
        if load_id = '' then
            raise exception 'load_id is empty' using errcode = 'invalid_parameter_value',
                hint = 'Give an id that is the same when the same load is reported again, or null for a new one.';
        end if;
    end if;
    insert into readiness.fm_log (source_database, source_table, business_date, row_count, load_id, logged_at)
    values (database, "table", report_log.business_date, report_log.row_count,
            coalesce(report_log.load_id, gen_random_uuid()::text),
            coalesce(report_log.logged_at, clock_timestamp()))
    returning fm_log.load_id into written;
    return written;
end $$;

---------------------------------------------------------------------------------------- the settings

create table readiness.log_setting (
    setting_id bigint generated always as identity primary key,
    source_database text not null,
    source_table text not null,
    deadline time not null,
    read_from time,
    log_count integer not null check (log_count >= 1),
    valid_from timestamptz not null default clock_timestamp(),
    valid_to timestamptz,
    set_by text not null default session_user,
    -- who applies a file of settings says whose it is: select set_config('readiness.scope', 'sales', true)
    scope text default nullif(current_setting('readiness.scope', true), '')
);
comment on table readiness.log_setting is 'Settings per source; those with valid_to null are in force';
create unique index log_setting_in_force on readiness.log_setting (source_database, source_table)
    where valid_to is null;
create trigger ring after insert or update on readiness.log_setting
    for each statement execute function readiness.ring();

create function readiness.wall_clock(hour integer, minute integer, what text) returns time
language plpgsql immutable as $$
begin
    if hour is null and minute is null then
        return null;
    end if;
    if hour is null or hour not between 0 and 23 then
        raise exception '% hour % is not an hour', what, coalesce(hour::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Give a whole number from 0 to 23.';
    end if;
    if coalesce(minute, 0) not between 0 and 59 then
        raise exception '% minute % is not a minute', what, minute
            using errcode = 'invalid_parameter_value', hint = 'Give a whole number from 0 to 59.';
    end if;
    return make_time(hour, coalesce(minute, 0), 0);
end $$;

create function readiness.set_log_settings(
    database text,
    "table" text,
    deadline_hour integer,
    deadline_minute integer,
    read_from_hour integer,
    read_from_minute integer,
    log_count integer
) returns bigint
language plpgsql as $$
declare
    deadline time := readiness.wall_clock(deadline_hour, deadline_minute, 'deadline');
    read_from time := readiness.wall_clock(read_from_hour, read_from_minute, 'read_from');
    now_at timestamptz;
    id bigint;
begin
    perform readiness.check_source(database, "table");
    if deadline is null then
        raise exception 'the deadline of %.% is null', database, "table"
            using errcode = 'invalid_parameter_value',
                  hint = 'Give the hour and the minute at which flows start without this source.';
    end if;
    if log_count is null or log_count < 1 then
        raise exception 'log_count % is below 1', coalesce(log_count::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Give the number of log rows that are needed.';
    end if;
    perform pg_advisory_xact_lock(7303, hashtext(database || '.' || "table"));
    now_at := clock_timestamp();
    update readiness.log_setting set valid_to = now_at
    where source_database = database and source_table = "table" and valid_to is null;
    insert into readiness.log_setting (source_database, source_table, deadline, read_from, log_count, valid_from)
    values (database, "table", deadline, read_from, set_log_settings.log_count, now_at)
    returning setting_id into id;
    return id;
end $$;
comment on function readiness.set_log_settings is
    'At release: database, table, deadline hour and minute, hour and minute from which logs are read (or null), '
    'number of log rows. Supersedes the settings in force; those are kept.';

-- Named settings beside the seven, versioned as those. What a source does not say is the default.
create table readiness.source_option (
    option_id bigint generated always as identity primary key,
    source_database text not null,
    source_table text not null,
    on_late text not null check (on_late in ('ignore', 'rerun')),
    on_deadline text not null check (on_deadline in ('run', 'skip', 'fail')),
    calendar text[],
    owner text,
    description text,
    valid_from timestamptz not null default clock_timestamp(),
    valid_to timestamptz,
    set_by text not null default session_user,
    scope text default nullif(current_setting('readiness.scope', true), '')
);
comment on table readiness.source_option is 'Named settings per source; those with valid_to null are in force';
comment on column readiness.source_option.calendar is
    'Weekdays (mon to sun) and dates (YYYY-MM-DD) on which the source is due; null: every day';
create unique index source_option_in_force on readiness.source_option (source_database, source_table)
    where valid_to is null;
create trigger ring after insert or update on readiness.source_option
    for each statement execute function readiness.ring();

-- 'mon-fri', 'mon, 2026-12-26' → the days, in order; 'daily' → null.
create function readiness.parse_calendar(calendar text) returns text[]
language plpgsql immutable strict as $$
declare
    names constant text[] := array['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
    part text;
    first_day integer;
    last_day integer;
    days text[] := '{}';
begin
    if lower(btrim(calendar, E', \t\n\r')) = 'daily' then
        return null;
    end if;
    foreach part in array regexp_split_to_array(lower(calendar), '[,\s]+') loop
        continue when part = '';
        first_day := array_position(names, split_part(part, '-', 1));
        last_day := array_position(names, coalesce(nullif(split_part(part, '-', 2), ''), split_part(part, '-', 1)));
        if part ~ '^[a-z]{3}(-[a-z]{3})?$' and first_day is not null and last_day is not null then
            for ahead in 0 .. (last_day - first_day + 7) % 7 loop
                days := days || names[(first_day - 1 + ahead) % 7 + 1];
            end loop;
        elsif part ~ '^\d{4}-\d{2}-\d{2}$' and readiness.date_or_never(part) >= '0001-01-01' then
            days := days || part;
        else
            raise exception '% is no day of a calendar', quote_literal(left(part, 100))
                using errcode = 'invalid_parameter_value',
                      hint = 'Write ''mon'' to ''sun'', ''mon-fri'', a date YYYY-MM-DD, or ''daily''.';
        end if;
    end loop;
    if days = '{}' then
        raise exception 'calendar % names no day', quote_literal(left(calendar, 100))
            using errcode = 'invalid_parameter_value',
                  hint = 'Write ''mon-fri'', ''2026-12-26'', or ''daily''.';
    end if;
    return array(select day from (select distinct unnest(days) as day) as d
                 order by array_position(names, day), day);
end $$;

create function readiness.is_due(calendar text[], business_date date) returns boolean
language sql stable parallel safe as $$
    select calendar is null
        or (array['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])[extract(isodow from business_date)::integer]
           = any (calendar)
        or to_char(business_date, 'YYYY-MM-DD') = any (calendar)
$$;

create function readiness.set_source_options(
    database text,
    "table" text,
    on_late text default null,
    on_deadline text default null,
    calendar text default null,
    owner text default null,
    description text default null
) returns bigint
language plpgsql as $$
declare
    old readiness.source_option;
    days text[];
    now_at timestamptz;
    id bigint;
begin
    perform readiness.check_source(database, "table");
    if on_late not in ('ignore', 'rerun') then
        raise exception 'on_late % is neither ''ignore'' nor ''rerun''', quote_literal(left(on_late, 100))
            using errcode = 'invalid_parameter_value',
                  hint = '''rerun'' starts flows again that a launch has started without this source.';
    end if;
    if on_deadline not in ('run', 'skip', 'fail') then
        raise exception 'on_deadline % is none of ''run'', ''skip'', ''fail''', quote_literal(left(on_deadline, 100))
            using errcode = 'invalid_parameter_value',
                  hint = 'It says what becomes of a launch that would go without this source.';
    end if;
    days := readiness.parse_calendar(calendar);
    perform pg_advisory_xact_lock(7303, hashtext(database || '.' || "table"));
    select * into old from readiness.source_option as o
    where o.source_database = database and o.source_table = "table" and o.valid_to is null;
    now_at := clock_timestamp();
    update readiness.source_option as o set valid_to = now_at
    where o.source_database = database and o.source_table = "table" and o.valid_to is null;
    insert into readiness.source_option
        (source_database, source_table, on_late, on_deadline, calendar, owner, description, valid_from)
    values (database, "table",
            coalesce(set_source_options.on_late, old.on_late, 'ignore'),
            coalesce(set_source_options.on_deadline, old.on_deadline, 'run'),
            case when set_source_options.calendar is null then old.calendar else days end,
            case when set_source_options.owner is null then old.owner else nullif(set_source_options.owner, '') end,
            case when set_source_options.description is null then old.description
                 else nullif(set_source_options.description, '') end,
            now_at)
    returning option_id into id;
    return id;
end $$;
comment on function readiness.set_source_options is
    'At release, with named arguments; what is left out stays as it is. on_late: ignore or rerun; on_deadline: '
    'run, skip or fail; calendar: weekdays and dates on which the source is due, or daily; owner; description.';

-- No settings are in force any more: if a flow waits for the source, the deployment's defaults hold.
create function readiness.retire_source(database text, "table" text) returns boolean
language plpgsql as $$
declare
    now_at timestamptz;
    retired boolean;
begin
    perform readiness.check_source(database, "table");
    perform pg_advisory_xact_lock(7303, hashtext(database || '.' || "table"));
    now_at := clock_timestamp();
    update readiness.log_setting set valid_to = now_at
    where source_database = database and source_table = "table" and valid_to is null;
    retired := found;
    update readiness.source_option set valid_to = now_at
    where source_database = database and source_table = "table" and valid_to is null;
    return retired or found;
end $$;

------------------------------------------------------------------------------------ flows and launches

-- Which DAG waits for what. Written by the registrar, which reads it from Airflow.
create table readiness.flow (
    dag_id text primary key,
    condition text not null,
    expression jsonb not null,
    sources text[] not null,
    first_date date not null,
    paused boolean not null,
    broken boolean not null,
    seen_at timestamptz not null default clock_timestamp(),
    gone_at timestamptz
);
create index flow_condition on readiness.flow (condition) where gone_at is null;
create index flow_sources on readiness.flow using gin (sources) where gone_at is null;
create trigger ring after insert or update of condition, first_date, paused, broken, gone_at on readiness.flow
    for each statement execute function readiness.ring();

-- The one decision on a condition for a business date, once, for ever: it is started or skipped, or its flows
-- get a run that has failed.
create table readiness.launch (
    condition text not null,
    business_date date not null,
    decided_at timestamptz not null,
    evidence jsonb not null,
    attempts integer not null default 0,
    attempted_at timestamptz,
    published_at timestamptz,
    decision text not null default 'launched' check (decision in ('launched', 'skipped', 'failed')),
    primary key (condition, business_date)
);
comment on column readiness.launch.published_at is 'When Airflow recorded its asset event, as seen there';
create index launch_date on readiness.launch (business_date);
create index launch_outbox on readiness.launch (decided_at)
    where published_at is null and decision = 'launched';
create index launch_published on readiness.launch (published_at);
create index launch_failed on readiness.launch (decided_at) where decision = 'failed';

-- When a condition with times of its own (not before, a deadline, a grace) falls due if nothing more arrives.
create table readiness.launch_plan (
    condition text not null,
    business_date date not null,
    due_at timestamptz not null,
    primary key (condition, business_date)
);
create index launch_plan_due on readiness.launch_plan (due_at);

-- A launch that is made again: a source that it went without came late, and says on_late = rerun.
create table readiness.rerun (
    condition text not null,
    business_date date not null,
    number integer not null,
    decided_at timestamptz not null,
    evidence jsonb not null,
    primary key (condition, business_date, number)
);

-- Which run a rerun made of which flow.
create table readiness.rerun_run (
    dag_id text not null,
    business_date date not null,
    number integer not null,
    run_id text,
    attempted_at timestamptz not null,
    primary key (dag_id, business_date, number)
);

-- Which run a launch made of which flow; run_id null: none, and none is coming, so it is repaired.
create table readiness.launch_run (
    dag_id text not null,
    business_date date not null,
    condition text not null,
    run_id text,
    seen_at timestamptz not null default clock_timestamp(),
    repaired_at timestamptz,
    primary key (dag_id, business_date)
);
create index launch_run_date on readiness.launch_run (business_date);
create index launch_run_missing on readiness.launch_run (seen_at) where run_id is null;

--------------------------------------------------------------------------------- the processed logs

create table readiness.processed_log (
    source_database text not null,
    source_table text not null,
    business_date date not null,
    source text not null generated always as (source_database || '.' || source_table) stored,
    state text not null default 'waiting'
        check (state in ('waiting', 'ready', 'missed', 'late', 'not_due')),
    -- the logs
    log_count integer not null default 0,
    logs jsonb not null default '[]',
    row_count bigint,
    last_log_at timestamptz,
    -- the settings as applied
    setting_id bigint references readiness.log_setting,
    needed integer not null default 1,
    window_start timestamptz,
    deadline_at timestamptz,
    window_end timestamptz,
    deadline_override timestamptz,
    on_late text not null default 'ignore',
    on_deadline text not null default 'run',
    -- the result
    ready_at timestamptz,
    missed_at timestamptz,
    changed_at timestamptz,
    closed boolean not null default false,
    -- opened by the calendar, or because somebody asked for this date
    expected boolean not null default false,
    -- what an operator said: action (mark-ready or skip), by, at, reason; null once the logs decided
    by_hand jsonb,
    -- the source's own asset event, for lineage
    event_attempted_at timestamptz,
    event_published_at timestamptz,
    primary key (source_database, source_table, business_date)
);
comment on table readiness.processed_log is 'Logs, settings and result per source and business date';
create index processed_log_source on readiness.processed_log (source, business_date);
create index processed_log_day on readiness.processed_log (business_date);
-- what Redis should hold
create index processed_log_kept on readiness.processed_log (greatest(window_end, deadline_at));
create index processed_log_unmet on readiness.processed_log (business_date)
    where state in ('waiting', 'missed', 'not_due') and not closed;
create index processed_log_setting on readiness.processed_log (setting_id);
create index processed_log_missed on readiness.processed_log (missed_at) where missed_at is not null;
create index processed_log_event on readiness.processed_log (changed_at)
    where state <> 'waiting' and event_published_at is null;
create index processed_log_rerun on readiness.processed_log (business_date)
    where state = 'late' and on_late = 'rerun';
create index processed_log_changed_at on readiness.processed_log
    using brin (changed_at) with (autosummarize = on);

create function readiness.log_window(
    business_date date, deadline time, read_from time, timezone text,
    out window_start timestamptz, out deadline_at timestamptz, out window_end timestamptz
)
language sql immutable parallel safe as $$
    select (first_day + begin) at time zone timezone,
           (business_date + deadline) at time zone timezone,
           (first_day + 1 + begin) at time zone timezone
    from (select case when read_from >= deadline then business_date - 1 else business_date end as first_day,
                 coalesce(read_from, '00:00'::time) as begin) as night
$$;

-- The settings that hold for a source: those in force, or else the deployment's defaults.
-- Set-returning, so that Postgres writes it into the query that asks: else it runs once for every row.
create function readiness.setting_of(database text, "table" text)
returns table (setting_id bigint, deadline time, read_from time, log_count integer, timezone text,
               on_late text, on_deadline text, calendar text[])
language sql stable rows 1 as $$
    select s.setting_id, coalesce(s.deadline, d.default_deadline), s.read_from, coalesce(s.log_count, 1),
           d.timezone, coalesce(o.on_late, 'ignore'), coalesce(o.on_deadline, 'run'), o.calendar
    from readiness.deployment as d
    left join readiness.log_setting as s
        on s.source_database = database and s.source_table = "table" and s.valid_to is null
    left join readiness.source_option as o
        on o.source_database = database and o.source_table = "table" and o.valid_to is null
$$;

-- Somebody waits for this date (a flow that is new, a sensor): from now on it is judged.
create function readiness.expect(
    database text, "table" text, business_date date, deadline_at timestamptz default null
) returns void
language plpgsql as $$
begin
    perform readiness.check_source(database, "table");
    -- a date that advance() cannot reckon with would stop it for everybody
    if (expect.business_date between '0002-01-01' and '9998-12-31') is not true then
        raise exception 'business_date % is out of range', coalesce(expect.business_date::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Give a date of the years 2 to 9998.';
    end if;
    perform readiness.check_instant('deadline_at', expect.deadline_at);
    insert into readiness.processed_log (source_database, source_table, business_date, expected, deadline_override)
    values (database, "table", expect.business_date, true, expect.deadline_at)
    on conflict on constraint processed_log_pkey do update
        set deadline_override = excluded.deadline_override
        where excluded.deadline_override is not null and processed_log.state = 'waiting';
    if found then
        perform pg_notify('readiness', 'processed_log') from readiness.deployment where doorbell;
    end if;
end $$;

-- Sources that are judged every day: those with settings, and those that a flow waits for, since when.
create view readiness.tracked_source as
select source_database, source_table, min(first_date) as first_date
from (
    select source_database, source_table, null::date as first_date
    from readiness.log_setting where valid_to is null
    union all
    select split_part(source, '.', 1), split_part(source, '.', 2), first_date
    from readiness.flow cross join unnest(sources) as source
    where gone_at is null
) as wanted
group by source_database, source_table;

-- The last business date whose window has begun at an instant.
create function readiness.open_date(at timestamptz, deadline time, read_from time, timezone text) returns date
language sql immutable parallel safe as $$
    select max(day) from (
        select (at at time zone timezone)::date + ahead as day from generate_series(-1, 1) as ahead
    ) as days
    where (readiness.log_window(day, deadline, read_from, timezone)).window_start <= at
$$;

-- Apply the settings to the logs, as of an instant. Counts the logs of what is unmet, by index; may be
-- called at any time, any number of times. Returns what changed.
create function readiness.advance(at timestamptz default null) returns setof readiness.processed_log
language plpgsql as $$
declare
    j record;
begin
    perform pg_advisory_xact_lock(7303, 0);
    at := coalesce(at, clock_timestamp());

    -- The calendar goes on: open the dates whose window has begun, up to 31 that were slept through.
    insert into readiness.processed_log (source_database, source_table, business_date)
    select t.source_database, t.source_table, o.last_open - ago
    from (
        -- many sources, few windows
        select readiness.open_date(advance.at, s.deadline, s.read_from, s.timezone) as last_open,
               array_agg(t.source_database) as databases, array_agg(t.source_table) as tables,
               array_agg(t.first_date) as first_dates
        from readiness.tracked_source as t
        cross join lateral readiness.setting_of(t.source_database, t.source_table) as s
        group by s.deadline, s.read_from, s.timezone
    ) as o
    cross join lateral unnest(o.databases, o.tables, o.first_dates)
        as t (source_database, source_table, first_date)
    cross join lateral (
        -- mostly it is today's; to find the last, Postgres reads a whole page of the index
        select coalesce(
            (select p.business_date from readiness.processed_log as p
             where p.source_database = t.source_database and p.source_table = t.source_table
               and p.business_date = o.last_open and not p.expected),
            (select max(p.business_date) from readiness.processed_log as p
             where p.source_database = t.source_database and p.source_table = t.source_table
               and p.business_date < o.last_open and not p.expected)
        ) as last_known
    ) as k
    -- a source that is new: from the first date of the flows that wait for it
    cross join lateral generate_series(
        0, least(30, o.last_open - coalesce(k.last_known + 1, least(t.first_date, o.last_open)))) as ago
    on conflict on constraint processed_log_pkey do update set expected = false where processed_log.expected;

    -- Row by row, and only those that change: joined to some thousand, Postgres may rather read all there are.
    for j in with unmet as (
        select p.source_database, p.source_table, p.business_date, p.state,
               (p.log_count, p.needed, p.deadline_at, p.window_start, p.window_end, p.setting_id, p.on_late,
                p.on_deadline) as known,
               p.changed_at, s.setting_id, s.log_count as needed, s.on_late, s.on_deadline,
               s.calendar is null or readiness.is_due(s.calendar, p.business_date) as due, w.window_start,
               -- skipped by hand: its deadline is when that was said, or when the window begins
               case when p.state = 'missed' then p.deadline_at
                    when h.action = 'skip'
                    then least(h.said_at, coalesce(p.deadline_override, w.deadline_at))
                    else coalesce(p.deadline_override, w.deadline_at) end as deadline_at,
               w.window_end,
               case when h.action = 'mark-ready' and h.said_at <= advance.at then h.said_at end as marked_at
        from readiness.processed_log as p
        cross join lateral readiness.setting_of(p.source_database, p.source_table) as s
        cross join lateral readiness.log_window(p.business_date, s.deadline, s.read_from, s.timezone) as w
        cross join lateral (
            select p.by_hand ->> 'action' as action,
                   greatest((p.by_hand ->> 'at')::timestamptz, w.window_start) as said_at
        ) as h
        where p.state in ('waiting', 'missed', 'not_due') and not p.closed
    ),
    counted as (
        select u.*, c.*
        from unmet as u
        cross join lateral (
            select count(*)::integer as found,
                   case when count(*) >= u.needed
                        then greatest((array_agg(d.logged_at order by d.logged_at))[u.needed], u.window_start)
                        else u.marked_at end as nth_at,
                   max(d.logged_at) as last_log_at,
                   least(sum(d.row_count), 9223372036854775807)::bigint as row_count,
                   coalesce(jsonb_agg(jsonb_build_object('load_id', left(d.load_id, 200), 'logged_at', d.logged_at,
                                                         'row_count', d.row_count) order by d.logged_at)
                            filter (where d.place <= 20), '[]') as logs
            from (
                select l.load_id, min(l.logged_at) as logged_at, max(l.row_count) as row_count,
                       row_number() over (order by min(l.logged_at)) as place
                from (
                    select load_id, logged_at, row_count from readiness.source_log
                    where source_database = u.source_database and source_table = u.source_table
                      and business_date = u.business_date and logged_at <= advance.at
                      and logged_at >= '0002-01-01 00:00+00'
                    union all
                    select load_id, logged_at, row_count from readiness.source_log
                    where source_database = u.source_database and source_table = u.source_table
                      and business_date is null and logged_at >= u.window_start
                      and logged_at < u.window_end and logged_at <= advance.at
                ) as l
                group by l.load_id
            ) as d
        ) as c
    ),
    judged as (
        select c.*,
               case
                   when (c.found >= c.needed or c.marked_at is not null) and c.window_start <= advance.at then
                       -- for a day on which nobody waited it is never late
                       case when c.state <> 'missed' and (not c.due or c.nth_at <= c.deadline_at)
                            then 'ready' else 'late' end
                   when c.state <> 'missed' and not c.due and c.window_start <= advance.at then 'not_due'
                   when c.state = 'missed' or advance.at >= c.deadline_at then 'missed'
                   else 'waiting'
               end as new_state
        from counted as c
    )
    select * from judged as u
    where u.changed_at is null or u.state <> u.new_state
       or u.known is distinct from
          (u.found, u.needed, u.deadline_at, u.window_start, u.window_end, u.setting_id, u.on_late,
           u.on_deadline)
       or (advance.at >= greatest(u.window_end, u.deadline_at) and u.new_state <> 'waiting')
    loop
        return query
        update readiness.processed_log as p set
            state = j.new_state,
            log_count = j.found,
            logs = j.logs,
            row_count = j.row_count,
            last_log_at = j.last_log_at,
            setting_id = j.setting_id,
            needed = j.needed,
            window_start = j.window_start,
            deadline_at = j.deadline_at,
            window_end = j.window_end,
            on_late = j.on_late,
            on_deadline = j.on_deadline,
            ready_at = case when j.new_state in ('ready', 'late') then j.nth_at end,
            missed_at = case when j.new_state in ('missed', 'late') then coalesce(p.missed_at, j.deadline_at) end,
            closed = advance.at >= greatest(j.window_end, j.deadline_at) and j.new_state <> 'waiting',
            by_hand = case when j.found < j.needed then p.by_hand end,
            changed_at = advance.at
        where p.source_database = j.source_database and p.source_table = j.source_table
          and p.business_date = j.business_date
        returning p.*;
    end loop;
end $$;
comment on function readiness.advance is 'Apply the settings to the logs; idempotent. Returns what changed';

-- When there is something to do although nobody rings: a deadline, a window that begins, or a plan that
-- falls due. An instant that has passed means now.
create function readiness.next_wake(at timestamptz) returns timestamptz
language sql stable as $$
    select min(instant) from (
        select least(min(deadline_at), min(window_start) filter (where window_start > at)) as instant
        from readiness.processed_log
        where state in ('waiting', 'missed') and not closed and state = 'waiting'
        union all
        select min(due_at) from readiness.launch_plan
        union all
        select min((readiness.log_window(
                    readiness.open_date(at, s.deadline, s.read_from, s.timezone) + 1,
                    s.deadline, s.read_from, s.timezone)).window_start)
        from (select distinct x.deadline, x.read_from, x.timezone
              from readiness.tracked_source as t
              cross join lateral readiness.setting_of(t.source_database, t.source_table) as x) as s
    ) as instants
$$;

-------------------------------------------------------------------------------------------- operating

-- Who asked for what, and why. Nobody may change it, and it is kept.
create table readiness.audit (
    audit_id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    action text not null,
    done_by text not null,
    login text not null default session_user,
    reason text,
    source text,
    dag_id text,
    business_date date,
    detail jsonb not null default '{}'
);
comment on table readiness.audit is 'What operators did by hand';
comment on column readiness.audit.done_by is 'As the command says; login is who Postgres knows it was';
create index audit_source on readiness.audit (source, business_date) where source is not null;
create index audit_flow on readiness.audit (dag_id, business_date) where dag_id is not null;

-- The row of a source for a date, opened if need be; no step of advance() is taken until the end.
create function readiness.open_by_hand(
    database text, "table" text, business_date date, reason text, out known readiness.processed_log
)
language plpgsql as $$
declare
    last_date date := (select (clock_timestamp() at time zone timezone)::date + 31 from readiness.deployment);
begin
    perform readiness.check_source(database, "table");
    if coalesce(trim(reason), '') = '' or length(reason) > 1000 then
        raise exception 'the reason is % characters long', coalesce(length(trim(reason)), 0)
            using errcode = 'invalid_parameter_value', hint = 'Say why, in up to 1000 characters: it is kept.';
    end if;
    if (open_by_hand.business_date between '0002-01-01' and last_date) is not true then
        raise exception 'business_date % is out of range', coalesce(open_by_hand.business_date::text, 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'Give a date up to ' || last_date || ', a month from now.';
    end if;
    perform pg_advisory_xact_lock(7303, 0);
    if not exists (select from readiness.tracked_source as t
                   where t.source_database = database and t.source_table = "table")
       and not exists (select from readiness.processed_log as p
                       where p.source_database = database and p.source_table = "table") then
        raise exception 'there is no source %.%', database, "table" using errcode = 'undefined_object',
            hint = 'A source is known once it has settings, or a flow waits for it.';
    end if;
    insert into readiness.processed_log (source_database, source_table, business_date, expected)
    values (database, "table", open_by_hand.business_date, true)
    on conflict on constraint processed_log_pkey do nothing;
    select * into known from readiness.processed_log as p
    where p.source_database = database and p.source_table = "table"
      and p.business_date = open_by_hand.business_date;
end $$;

create function readiness.say_by_hand(
    action text, database text, "table" text, business_date date, reason text, done_by text
) returns text
language plpgsql as $$
declare
    known readiness.processed_log;
    said jsonb := jsonb_build_object('action', action, 'by', coalesce(done_by, session_user),
                                     'at', clock_timestamp(), 'reason', reason);
begin
    known := readiness.open_by_hand(database, "table", business_date, reason);
    if known.state in ('ready', 'late', 'not_due') or known.by_hand ->> 'action' = action then
        return known.state;
    end if;
    update readiness.processed_log as p set
        by_hand = said,
        -- looked at by the next step, also if its window is over; a skip changes no state that is settled
        closed = p.closed and action = 'skip',
        changed_at = case when p.closed and action = 'skip' then clock_timestamp() end
    where p.source_database = database and p.source_table = "table"
      and p.business_date = say_by_hand.business_date;
    insert into readiness.audit (action, done_by, reason, source, business_date, detail)
    values (action, coalesce(say_by_hand.done_by, session_user), reason, known.source, known.business_date,
            jsonb_build_object('state', known.state, 'log_count', known.log_count, 'needed', known.needed));
    perform pg_notify('readiness', 'processed_log') from readiness.deployment where doorbell;
    return known.state;
end $$;

-- Each runs with its owner's rights, so that an operator can do this and nothing else, and not unseen.
create function readiness.mark_ready(
    database text, "table" text, business_date date, reason text, done_by text default null
) returns text
language sql security definer set search_path = pg_catalog, readiness as $$
    select readiness.say_by_hand('mark-ready', database, "table", business_date, reason, done_by)
$$;
comment on function readiness.mark_ready is
    'By hand: the source counts as ready for the date, from now on or from when its window begins. '
    'Returns its state before; a source that was ready is left as it is';

create function readiness.skip(
    database text, "table" text, business_date date, reason text, done_by text default null
) returns text
language sql security definer set search_path = pg_catalog, readiness as $$
    select readiness.say_by_hand('skip', database, "table", business_date, reason, done_by)
$$;
comment on function readiness.skip is
    'By hand: the source is not waited for on the date, as if its deadline were now. Returns its state before; '
    'a source that was ready is left as it is';

create function readiness.extend(
    database text, "table" text, business_date date, deadline_at timestamptz, reason text,
    done_by text default null, out waiting text[], out launched text[]
)
language plpgsql security definer set search_path = pg_catalog, readiness as $$
declare
    known readiness.processed_log;
    refused text;
begin
    perform readiness.check_instant('deadline_at', deadline_at);
    -- Redis holds what is planned for four days
    if (deadline_at between clock_timestamp() and clock_timestamp() + interval '3 days') is not true then
        raise exception 'the deadline % is not within three days from now', coalesce(deadline_at::text, 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'Give an instant to come; not to wait any longer, skip the source.';
    end if;
    known := readiness.open_by_hand(database, "table", business_date, reason);
    select coalesce(array_agg(f.dag_id order by f.dag_id) filter (where l.condition is null), '{}'),
           coalesce(array_agg(f.dag_id order by f.dag_id) filter (where l.condition is not null), '{}')
    into waiting, launched
    from readiness.flow as f
    left join readiness.launch as l on l.condition = f.condition and l.business_date = extend.business_date
    where f.gone_at is null and f.sources @> array[known.source] and f.first_date <= extend.business_date;
    refused := case
        when known.state in ('ready', 'late') then 'it is ready'
        when known.state = 'not_due' then 'it is not due'
        when known.by_hand ->> 'action' = 'skip' then 'it is skipped'
        when known.by_hand is not null then 'it is marked as ready'
        when waiting = '{}' and launched <> '{}' then 'every flow that waits for it was launched'
        when waiting = '{}' and known.state = 'missed' then 'it is missed already, and no flow waits for it'
    end;
    if refused is not null then
        raise exception 'another deadline of % for % changes nothing: %', known.source, known.business_date, refused
            using errcode = 'object_not_in_prerequisite_state',
                  hint = case when launched <> '{}' then 'A flow runs again by ''airflow readiness rerun''.'
                              else 'Nothing is to be done.' end;
    end if;
    update readiness.processed_log as p set
        deadline_override = extend.deadline_at,
        state = 'waiting', missed_at = null, closed = false, changed_at = null
    where p.source_database = database and p.source_table = "table" and p.business_date = extend.business_date;
    insert into readiness.audit (action, done_by, reason, source, business_date, detail)
    values ('extend', coalesce(extend.done_by, session_user), reason, known.source, known.business_date,
            jsonb_build_object('state', known.state, 'from', known.deadline_at, 'to', extend.deadline_at));
    perform pg_notify('readiness', 'processed_log') from readiness.deployment where doorbell;
end $$;
comment on function readiness.extend is
    'By hand: another deadline for one source and date. Returns the flows that wait by it, and those that were '
    'launched before';

revoke execute on function readiness.open_by_hand, readiness.say_by_hand, readiness.mark_ready, readiness.skip,
    readiness.extend from public;

------------------------------------------------------------------------------- retention, and usual times

-- What stays of a source's day when its row of the processed logs is deleted.
create table readiness.arrival (
    source_database text not null,
    source_table text not null,
    business_date date not null,
    state text not null,
    ready_at timestamptz,
    deadline_at timestamptz,
    log_count integer not null,
    row_count bigint,
    by_hand boolean not null,
    primary key (source_database, source_table, business_date)
);
comment on table readiness.arrival is 'Daily arrivals of what prune() deleted from processed_log';
create index arrival_date on readiness.arrival (business_date);

-- When sources became ready by themselves.
create view readiness.arrived as
select source_database, source_table, business_date, ready_at
from readiness.processed_log where ready_at is not null and by_hand is null
union all
select source_database, source_table, business_date, ready_at
from readiness.arrival where ready_at is not null and not by_hand;

-- When a source usually is ready on such a weekday (median and 90th percentile of the 90 days before), as
-- the time of the clock counted from the midnight at which the business date begins: negative on the evening
-- before. Null with fewer than ten such days.
create function readiness.usual_arrival(
    database text, "table" text, business_date date,
    out samples integer, out usual interval, out slow interval
)
language sql stable as $$
    select count(*)::integer,
           case when count(*) >= 10 then percentile_cont(0.5) within group (order by came) end,
           case when count(*) >= 10 then percentile_cont(0.9) within group (order by came) end
    from (
        select (a.ready_at at time zone (select timezone from readiness.deployment))
               - a.business_date::timestamp as came
        from readiness.arrived as a
        where a.source_database = database and a.source_table = "table"
          and a.business_date between usual_arrival.business_date - 90 and usual_arrival.business_date - 1
          and extract(isodow from a.business_date) = extract(isodow from usual_arrival.business_date)
    ) as days
$$;

-- Sources that are waited for, and from when on that is a worry: when nine of ten were there, or at once if
-- that is after the deadline.
create view readiness.risk as
select p.source, p.business_date, p.deadline_at, u.samples, s.slow_at,
       case when s.slow_at > p.deadline_at then p.window_start else s.slow_at end as risk_at
from readiness.processed_log as p
cross join lateral readiness.usual_arrival(p.source_database, p.source_table, p.business_date) as u
cross join lateral (
    select (p.business_date::timestamp + u.slow) at time zone d.timezone as slow_at from readiness.deployment as d
) as s
where p.state in ('waiting', 'missed') and not p.closed
  and p.state = 'waiting' and p.deadline_at is not null and p.by_hand is null and not p.expected
  and u.slow is not null;

-- What retention deletes: nothing that is still at work.
create function readiness.prunable(what text, keep_days integer, at_most bigint default null) returns setof tid
language plpgsql stable as $$
declare
    zone text := (select timezone from readiness.deployment);
    cutoff timestamptz := clock_timestamp() - make_interval(days => keep_days);
    day date := (cutoff at time zone zone)::date;
begin
    -- advance() opens dates up to 31 days back, and the registrar reads as many of Airflow's events
    if keep_days is null or keep_days < 35 then
        raise exception '% days are too few to keep', coalesce(keep_days::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Keep 35 days at least.';
    end if;
    case what
    when 'launch_run' then
        return query select r.ctid from readiness.launch_run as r
        where r.business_date < day and r.seen_at < cutoff
          and (r.run_id is not null
               or not exists (select from readiness.flow as f where f.dag_id = r.dag_id and f.gone_at is null))
        limit at_most;
    when 'launch' then
        return query select l.ctid from readiness.launch as l
        where l.business_date < day and coalesce(l.published_at, l.decided_at) < cutoff
          and (l.published_at is not null or l.decision <> 'launched'
               or not exists (select from readiness.flow as f
                              where f.condition = l.condition and f.gone_at is null))
          and not exists (select from readiness.launch_run as r
                          where r.condition = l.condition and r.business_date = l.business_date
                            and (r.seen_at >= cutoff
                                 or (r.run_id is null
                                     and exists (select from readiness.flow as f
                                                 where f.dag_id = r.dag_id and f.gone_at is null))))
        limit at_most;
    when 'processed_log' then
        return query select p.ctid from readiness.processed_log as p
        where p.business_date < day and p.changed_at < cutoff and (p.state in ('ready', 'late') or p.closed)
        limit at_most;
    when 'fm_log' then
        return query select l.ctid from readiness.fm_log as l
        where l.logged_at < cutoff and (l.business_date is null or l.business_date < day)
          and not exists (
              select from readiness.processed_log as p
              where p.state in ('waiting', 'missed') and not p.closed
                and p.source_database = l.source_database and p.source_table = l.source_table
                and (p.business_date = l.business_date
                     or (l.business_date is null and l.logged_at >= p.window_start)))
        limit at_most;
    when 'log_setting' then
        return query select s.ctid from readiness.log_setting as s
        where s.valid_to < cutoff
          and not exists (select from readiness.processed_log as p where p.setting_id = s.setting_id)
        limit at_most;
    when 'source_option' then
        return query select o.ctid from readiness.source_option as o where o.valid_to < cutoff limit at_most;
    when 'rerun_run' then
        return query select r.ctid from readiness.rerun_run as r
        where r.business_date < day and r.attempted_at < cutoff limit at_most;
    when 'rerun' then
        return query select r.ctid from readiness.rerun as r
        where r.business_date < day and r.decided_at < cutoff limit at_most;
    when 'launch_plan' then
        return query select l.ctid from readiness.launch_plan as l
        where l.business_date < day and l.due_at < cutoff limit at_most;
    when 'alarm' then
        return query select a.ctid from readiness.alarm as a
        where a.business_date < day and a.again_at < cutoff limit at_most;
    when 'arrival' then
        return query select a.ctid from readiness.arrival as a where a.business_date < day limit at_most;
    else
        raise exception '% is not pruned', coalesce(quote_literal(what), 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'Give the name of a table that grows: launch, processed_log, fm_log …';
    end case;
end $$;

-- Deletes one batch, with its owner's rights; how many rows. Whoever stops between two loses nothing.
create function readiness.prune(what text, keep_days integer, at_most bigint default 5000) returns bigint
language plpgsql security definer set search_path = pg_catalog, readiness as $$
declare
    rows tid[] := array(select readiness.prunable(what, keep_days, at_most));
    day date := (select (clock_timestamp() - make_interval(days => keep_days)) at time zone timezone
                 from readiness.deployment);
    deleted bigint;
begin
    -- what is forgotten is not judged anew: it would be launched a second time
    if exists (select from readiness.flow where first_date < day) then
        update readiness.flow set first_date = day where first_date < day;
    end if;
    if what = 'processed_log' then
        with gone as (delete from readiness.processed_log as p where p.ctid = any (rows) returning p.*),
             kept as (
                 insert into readiness.arrival (source_database, source_table, business_date, state, ready_at,
                                                deadline_at, log_count, row_count, by_hand)
                 select source_database, source_table, business_date, state, ready_at, deadline_at, log_count,
                        row_count, by_hand is not null
                 from gone
                 on conflict do nothing
             )
        select count(*) into deleted from gone;
        return deleted;
    end if;
    execute format('delete from readiness.%I where ctid = any ($1)', what) using rows;
    get diagnostics deleted = row_count;
    return deleted;
end $$;
comment on function readiness.prune is
    'Retention: deletes one batch of what is older than keep_days; call it until it returns 0';

revoke execute on function readiness.prune from public;

----------------------------------------------------------------------------------------------- alarms

-- What was told to whom: each once. again_at: when it is tried (again), unless it was sent.
create table readiness.alarm (
    source text not null,
    business_date date not null,
    kind text not null check (kind in ('missed', 'late', 'at_risk')),
    notifier text not null,
    attempts integer not null default 1,
    again_at timestamptz not null,
    sent_at timestamptz,
    error text,
    primary key (source, business_date, kind, notifier)
);
comment on table readiness.alarm is 'Alarms by source, date, kind and notifier: sent, or tried so far';

-- What there is to tell of the last day. A date that was asked for (a backfill, a sensor) alarms nobody.
create view readiness.alarm_event as
select 'missed' as kind, source, business_date
from readiness.processed_log
where missed_at > clock_timestamp() - interval '1 day' and by_hand is null and not expected
union all
select 'late', source, business_date
from readiness.processed_log
where missed_at > clock_timestamp() - interval '2 days' and state = 'late'
  and changed_at > clock_timestamp() - interval '1 day' and by_hand is null and not expected
union all
select 'at_risk', source, business_date
from readiness.risk where risk_at <= clock_timestamp();

------------------------------------------------------------------------------- ingest and Greenplum

-- How far each outside system was read; moved in the transaction of the rows.
create table readiness.ingest_state (
    system text primary key,
    read_to timestamptz,
    read_at timestamptz not null,
    complaint text
);
comment on column readiness.ingest_state.read_to is
    'The newest row that was read, by the outside clock. The next read begins some time before it; '
    'set it back to have more read again';
comment on column readiness.ingest_state.complaint is 'Why a row of the last read could not be used';

-- The settings that were released in Greenplum and loaded here: each once.
create table readiness.greenplum_release (
    release_id text primary key,
    source_database text not null,
    source_table text not null,
    released_at timestamptz not null,
    released_by text not null,
    loaded_at timestamptz not null default clock_timestamp(),
    setting_id bigint references readiness.log_setting,
    refused text,
    check ((setting_id is null) = (refused is not null))
);
comment on column readiness.greenplum_release.refused is 'Why it is not in force';
create index greenplum_release_released_at on readiness.greenplum_release (released_at);
