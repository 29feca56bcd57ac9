"""The rules, without Airflow, Postgres or Redis: names, dates, states, conditions, documents."""
