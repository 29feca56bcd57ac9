-- the flow may start by the deadline of the rates: then the last known ones stand in
select distinct on (currency) currency, rate, business_date as as_of
from {{ source('night', 'fx_rates') }}
where business_date <= {{ business_date() }}
order by currency, business_date desc
