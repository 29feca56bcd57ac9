"""The flows on the screenshots."""

from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from airflow_readiness import readiness_dags, ready, source

contacts, invoices = source("crm.contacts"), source("crm.invoices")
sales, stores, fx_rates, orders = (
    source(f"hive.{name}") for name in ("sales", "stores", "fx_rates", "orders_eu")
)
sessions, clicks = source("lake.sessions"), source("lake.clicks")

FLOWS: dict[str, Any] = {
    "currency_report": fx_rates,
    "orders_by_country": orders & (fx_rates | stores) & sales,
    "sessions_daily": sessions | clicks,
    "contact_dedup": contacts,
    "invoice_run": invoices,
    "sales_by_region": sales & stores,
    "store_directory": stores,
}
for dag_id, condition in FLOWS.items():
    with DAG(
        dag_id, schedule=ready(condition), tags=["night"], is_paused_upon_creation=dag_id == "store_directory"
    ):
        EmptyOperator(task_id="build")

processor, collector = readiness_dags()
