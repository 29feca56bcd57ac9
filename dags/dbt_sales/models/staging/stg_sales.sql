select business_date, store_id, amount
from {{ source('hive', 'sales') }}
where business_date = {{ business_date() }}
