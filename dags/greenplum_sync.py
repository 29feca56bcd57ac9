"""Greenplum and Postgres in step: settings from there, source logs and processed logs to there.

Needs a connection ``readiness_greenplum``, and there what ``airflow readiness greenplum sql`` prints.
"""

from airflow_readiness.feeds import greenplum_dag

greenplum = greenplum_dag()
