"""A flow that has its condition for itself; a test breaks this file and mends it."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from airflow_readiness import ready, source

with DAG("broken_alone", schedule=ready(source("broken.alone"))):
    EmptyOperator(task_id="start")
