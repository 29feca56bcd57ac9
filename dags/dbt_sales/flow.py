"""A dbt project as a flow: each of its models is a task, and its sources say when it starts.

Needs astronomer-cosmos, dbt (by the variable DBT, else on the PATH), and the manifest that ``dbt parse``
writes into target/.
"""

import os
from pathlib import Path

from cosmos import DbtDag, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import InvocationMode, LoadMode

from airflow_readiness import dbt, ready

PROJECT = Path(__file__).parent
SELECT = "sales_mart+"
#: variable of profiles.yml → field of the connection "warehouse"
PROFILE = {
    "WAREHOUSE_HOST": "host",
    "WAREHOUSE_PORT": "port",
    "WAREHOUSE_USER": "login",
    "WAREHOUSE_DATABASE": "schema",
    "DBT_ENV_SECRET_WAREHOUSE": "password",
}

dbt_sales = DbtDag(
    dag_id="dbt_sales",
    schedule=ready(dbt("target/manifest.json", select=SELECT)),
    project_config=ProjectConfig(PROJECT, manifest_path=PROJECT / "target" / "manifest.json"),
    render_config=RenderConfig(load_method=LoadMode.DBT_MANIFEST, select=[SELECT], emit_datasets=False),
    execution_config=ExecutionConfig(
        dbt_executable_path=os.environ.get("DBT", "dbt"), invocation_mode=InvocationMode.SUBPROCESS
    ),
    profile_config=ProfileConfig("warehouse", "airflow", profiles_yml_filepath=PROJECT / "profiles.yml"),
    operator_args={
        "vars": {"business_date": "{{ dag_run.partition_key }}"},
        "env": {name: f"{{{{ conn.warehouse.{field} or '' }}}}" for name, field in PROFILE.items()},
    },
    # the first run creates the tables
    max_active_runs=1,
    tags=["dbt"],
)
