select business_date, store_id, name, region
from {{ source('hive', 'stores') }}
where business_date = {{ business_date() }}
