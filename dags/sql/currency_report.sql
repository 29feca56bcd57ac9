-- The flow may start by its deadline, without today's rates: then the last known ones stand in.
delete from night.currency_report where business_date = %(business_date)s::date;

insert into night.currency_report (business_date, currency, rate, as_of)
select distinct on (currency) %(business_date)s::date, currency, rate, business_date
from night.fx_rates
where business_date <= %(business_date)s::date
order by currency, business_date desc;
