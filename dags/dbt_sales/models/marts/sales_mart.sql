select s.business_date, t.region, count(*) as orders, sum(s.amount) as amount
from {{ ref('stg_sales') }} as s
join {{ ref('stg_stores') }} as t using (store_id)
group by s.business_date, t.region
