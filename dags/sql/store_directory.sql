delete from night.store_directory where business_date = %(business_date)s::date;

insert into night.store_directory (business_date, region, stores, names)
select business_date, region, count(*), string_agg(name, ', ' order by name)
from night.stores
where business_date = %(business_date)s::date
group by business_date, region;
