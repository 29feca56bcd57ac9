"""Feeds: readiness logs out of outside databases, and Greenplum kept in step."""

from airflow_readiness.feeds.dags import greenplum_dag, ingest_dag
from airflow_readiness.feeds.system import LogSystem

__all__ = ["LogSystem", "greenplum_dag", "ingest_dag"]
