"""What dbt knows of its models: which sources they read, and which log says that a source was loaded.

Not named ``dbt``: a module of that name would hide the function :func:`airflow_readiness.dbt`.
"""
