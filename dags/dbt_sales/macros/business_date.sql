{# The date that a run is for: the partition key of the flow's run; today where somebody runs dbt by hand. #}
{% macro business_date() -%}
    '{{ var("business_date", modules.datetime.date.today().isoformat()) }}'::date
{%- endmacro %}
