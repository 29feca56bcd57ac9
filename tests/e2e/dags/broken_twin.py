"""A flow that shares its condition with one in another file; a test breaks this file and mends it."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from airflow_readiness import ready, source

with DAG("broken_twin", schedule=ready(source("broken.shared"))):
    EmptyOperator(task_id="start")
