"""dbt itself, from the environment that ``make dbt`` makes, and a project that has a bit of everything."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[1] / ".venv-dbt" / "bin" / "dbt"
#: the reference project
SALES = Path(__file__).parents[1] / "dags" / "dbt_sales"

PROJECT = {
    "dbt_project.yml": """
name: shop
version: "1.0"
profile: shop
models:
  shop:
    staging: {+materialized: view, +tags: [staging]}
    marts: {+materialized: table, +tags: [nightly]}
""",
    "profiles.yml": """
shop:
  target: dev
  outputs:
    dev: {type: postgres, host: nowhere, port: 1, user: nobody, password: none, dbname: warehouse, schema: dwh}
""",
    "models/sources.yml": """
sources:
  - name: raw
    meta: {team: platform}
    tables:
      - name: orders
        external: {location: "pxf://hive.orders?PROFILE=hive"}
      - name: customers
        meta: {readiness: hive.customers}
        tags: [nightly]
      - name: rates
        config: {meta: {readiness: fx.rates}}
      - {name: lines, identifier: order_lines}
      - name: countries
        meta: {readiness: false}
      - name: files
        external: {location: "s3://lake/files/"}
      - name: old
        config: {enabled: false}
""",
    "models/staging/stg_orders.sql": "select * from {{ source('raw', 'orders') }}",
    "models/staging/stg_customers.sql": "select * from {{ source('raw', 'customers') }}",
    "models/staging/stg_lines.sql": """
{{ config(materialized='ephemeral') }}
select * from {{ source('raw', 'lines') }}
""",
    "models/staging/deep/stg_countries.sql": "select * from {{ source('raw', 'countries') }}",
    "models/marts/sales_mart.sql": """
select * from {{ ref('stg_orders') }}, {{ ref('stg_lines') }}, {{ ref('colours') }}
join {{ source('raw', 'rates') }} using (id)
""",
    "models/marts/deep/sales_by_country.sql": """
select * from {{ ref('sales_mart') }}, {{ ref('stg_countries') }}
""",
    "models/marts/deep/staging.sql": "select * from {{ source('raw', 'files') }}",
    "models/marts/off.sql": "{{ config(enabled=false) }} select * from {{ source('raw', 'orders') }}",
    "models/marts/customers_v1.sql": "select 1 as id from {{ ref('stg_customers') }}",
    "models/marts/customers_v2.sql": "select 1 from {{ ref('stg_customers') }}, {{ source('raw', 'orders') }}",
    "models/top.sql": "{{ config(tags='hourly') }} select * from {{ ref('customers') }}",
    "models/models.yml": """
models:
  - name: sales_mart
    columns: [{name: id, data_tests: [not_null, unique]}]
  - name: customers
    latest_version: 2
    versions: [{v: 1}, {v: 2}]
exposures:
  - name: board
    type: dashboard
    owner: {name: sales}
    tags: [shown]
    depends_on: [ref('sales_by_country')]
""",
    "seeds/colours.csv": "id,name\n1,red\n",
    "snapshots/history.sql": """
{% snapshot history %}
{{ config(unique_key='id', strategy='check', check_cols='all', target_schema='dwh') }}
select * from {{ source('raw', 'customers') }}
{% endsnapshot %}
""",
}

#: runs in dbt's Python, so that many questions start it once
_ASK = """
import contextlib, io, json, sys
from dbt.cli.main import dbtRunner
runner, answers = dbtRunner(), []
for question in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()):
        done = runner.invoke(["--quiet", "ls", "--output", "json", "--output-keys", "unique_id", *question])
    if done.exception:
        raise done.exception
    answers.append([json.loads(line)["unique_id"] for line in done.result])
json.dump(answers, sys.stdout)
"""


def program() -> Path:
    """dbt; the test is skipped if there is none."""
    if not PROGRAM.exists():
        pytest.skip("there is no dbt: run 'make dbt'")
    return PROGRAM


def run(project: Path, *arguments: str) -> str:
    """Run dbt in a project; what it printed."""
    return _run([str(program()), *arguments], project)


def write_project(folder: Path) -> Path:
    """The project with a bit of everything, parsed; its manifest."""
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    run(folder, "--quiet", "parse")
    return folder / "target" / "manifest.json"


def copy_sales(folder: Path) -> Path:
    """A copy of the reference project, parsed; its folder."""
    shutil.copytree(SALES, folder, ignore=shutil.ignore_patterns("target", "logs"))
    run(folder, "--quiet", "parse")
    return folder


def ask(project: Path, questions: list[list[str]]) -> list[list[str]]:
    """The ids that ``dbt ls`` answers to each of these arguments."""
    python = program().parent / "python"
    answers: list[Any] = json.loads(_run([str(python), "-c", _ASK], project, json.dumps(questions)))
    return answers


def _run(command: list[str], folder: Path, given: str = "") -> str:
    # nothing of ours, and nothing is sent to anybody
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "PYTHON"))}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**clean, "DO_NOT_TRACK": "1", "DBT_USE_COLORS": "0"},
        input=given,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
