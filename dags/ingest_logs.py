"""Readiness logs out of outside databases: one DAG every minute, one every five minutes.

Each outside system is one entry, and a task of its own. Its columns are named as they are called there.
The two here are examples; their tables are in ``sql/create_tables.sql``.
"""

from datetime import timedelta

from airflow_readiness.feeds import LogSystem, ingest_dag

every_minute = ingest_dag(
    "readiness_ingest_1m",
    "* * * * *",
    [
        LogSystem(
            name="scheduler",
            conn_id="warehouse",
            table="outside.job_log",
            source_database="db_name",
            source_table="tab_name",
            logged_at="finished_at",
            load_id="run_id",
            business_date="for_day",
            row_count="n_rows",
            timezone="Europe/Berlin",
        ),
    ],
)

every_five_minutes = ingest_dag(
    "readiness_ingest_5m",
    "*/5 * * * *",
    [
        LogSystem(
            name="deliveries",
            conn_id="warehouse",
            sql="""
                select 'hive' as db, lower(feed) as tab, received_at from outside.delivery
                where received_at >= :since and complete order by received_at
            """,
            source_database="db",
            source_table="tab",
            logged_at="received_at",
            overlap=timedelta(hours=6),
        ),
    ],
)
