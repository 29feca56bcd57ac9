select m.business_date, m.region, r.currency, m.amount / r.rate as amount, r.as_of
from {{ ref('sales_mart') }} as m
cross join {{ ref('stg_rates') }} as r
where m.business_date = {{ business_date() }}
