"""A DAG that nothing needs; a test deletes this file."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("spare", schedule=None):
    EmptyOperator(task_id="start")
