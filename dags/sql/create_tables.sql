-- What the night batch reads and writes. Applied by the demo; harmless when applied again.
create schema if not exists night;

create table if not exists night.sales (business_date date, store_id integer, amount numeric);
create table if not exists night.stores (business_date date, store_id integer, name text, region text);
create table if not exists night.fx_rates (business_date date, currency text, rate numeric);

create table if not exists night.sales_by_region (business_date date, region text, orders bigint, amount numeric);
create table if not exists night.store_directory (business_date date, region text, stores bigint, names text);
create table if not exists night.currency_report (business_date date, currency text, rate numeric, as_of date);

-- What ingest_logs.py reads: two outside systems with readiness logs of their own.
create schema if not exists outside;

create table if not exists outside.job_log (
    run_id bigint primary key, db_name text, tab_name text, finished_at timestamp, for_day text, n_rows numeric
);
create table if not exists outside.delivery (feed text, received_at timestamptz, complete boolean);
