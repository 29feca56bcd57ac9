"""A night batch: three sources without a fixed time of readiness, three flows that start by them.

Each flow starts once per business date, as soon as its sources are ready for that date, and at
their deadline anyway. The business date is the partition key of the run.
"""

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import DAG, get_current_context, task

from airflow_readiness import launch, ready, source

sales, stores, fx_rates = source("hive.sales"), source("hive.stores"), source("hive.fx_rates")
FOR_THE_DATE = {"business_date": "{{ dag_run.partition_key }}"}


@task
def why() -> dict[str, str]:
    """Write to the log, and return, what this run was started by."""
    return {name: outcome.value for name, outcome in launch(get_current_context()).outcomes.items()}


def mart(name: str) -> SQLExecuteQueryOperator:
    """Rebuild one table for the business date; a second run changes nothing."""
    return SQLExecuteQueryOperator(
        task_id=name, conn_id="warehouse", sql=f"sql/{name}.sql", parameters=FOR_THE_DATE, split_statements=True
    )


with DAG("sales_by_region", schedule=ready(sales & stores), tags=["night"]):
    why() >> mart("sales_by_region")

with DAG("store_directory", schedule=ready(stores), tags=["night"]):
    why() >> mart("store_directory")

with DAG("currency_report", schedule=ready(fx_rates), tags=["night"]):
    why() >> mart("currency_report")
