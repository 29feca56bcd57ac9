"""The readiness board: a JSON API in Airflow's API server, and one ES module that Airflow's UI loads.

It knows both sides, Airflow's metadata and our Postgres, and joins them. Nothing below imports it.
"""
