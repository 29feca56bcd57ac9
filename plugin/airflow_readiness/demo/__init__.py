"""A whole deployment on one machine, for the demo and the tests: ``python -m airflow_readiness.demo``."""
