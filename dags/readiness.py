"""The two DAGs of readiness. One such file in the DAG folder is all that a deployment needs."""

from airflow_readiness import readiness_dags

processor, collector = readiness_dags(sources=["hive.sales", "hive.stores", "hive.fx_rates"])
