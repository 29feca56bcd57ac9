-- What the night batch reads and writes. Applied by the demo; harmless when applied again.
create schema if not exists night;

create table if not exists night.sales (business_date date, store_id integer, amount numeric);
create table if not exists night.stores (business_date date, store_id integer, name text, region text);
create table if not exists night.fx_rates (business_date date, currency text, rate numeric);

create table if not exists night.sales_by_region (business_date date, region text, orders bigint, amount numeric);
create table if not exists night.store_directory (business_date date, region text, stores bigint, names text);
create table if not exists night.currency_report (business_date date, currency text, rate numeric, as_of date);
