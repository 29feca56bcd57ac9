delete from night.sales_by_region where business_date = %(business_date)s::date;

insert into night.sales_by_region (business_date, region, orders, amount)
select s.business_date, t.region, count(*), sum(s.amount)
from night.sales as s
join night.stores as t on t.store_id = s.store_id and t.business_date = s.business_date
where s.business_date = %(business_date)s::date
group by s.business_date, t.region;
