"""A dbt project, from ``dbt parse`` to its marts: dags/dbt_sales, run by Cosmos and dbt."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_readiness.demo.processes import wait_until
from tests import real_dbt
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(500)

TABLES = Path(__file__).parents[2] / "dags" / "sql" / "create_tables.sql"
SOURCES = ("hive.sales", "hive.stores", "night.fx_rates")
ROWS = """
insert into night.sales values ('{day}', 1, 10), ('{day}', 1, 20), ('{day}', 2, 5);
insert into night.stores values ('{day}', 1, 'Harbour', 'north'), ('{day}', 2, 'Market', 'south');
insert into night.fx_rates values ('{day}'::date - 1, 'EUR', 2);
"""


@pytest.fixture
def project(world: World) -> Iterator[Path]:
    """The reference project in the DAG folder, parsed by dbt."""
    world.stack.script(TABLES.read_text())
    # parsed beside the DAG folder, moved as a whole: as it should be deployed
    parsed = real_dbt.copy_sales(world.folder / "dbt_sales")
    there = parsed.rename(world.dags / "dbt_sales")
    # its collector reads the manifest too
    (world.dags / "e2e_readiness.py").touch()
    yield there
    shutil.rmtree(world.dags / "dbt_sales")


def _asset(world: World, name: str) -> dict[str, Any]:
    found = world.stack.rest.call("GET", "/api/v2/assets", name_pattern=name)["assets"]
    (only,) = [each for each in found if each["name"] == name] or [{}]
    return dict(only)


def _in_the_graph(world: World) -> bool:
    """Whether each source is seen between the collector and the flow."""
    return all(
        [task["dag_id"] for task in asset.get("producing_tasks", [])] == ["readiness_collector"]
        and [dag["dag_id"] for dag in asset.get("scheduled_dags", [])] == ["dbt_sales"]
        for asset in (_asset(world, name) for name in SOURCES)
    )


def _states(world: World) -> dict[str, str]:
    """The tasks of the only run."""
    (run,) = world.stack.rest.runs("dbt_sales")
    tasks = world.stack.rest.tasks("dbt_sales", run["dag_run_id"])
    return {name: str(task["state"]) for name, task in tasks.items()}


@pytest.mark.usefixtures("project")
def test_a_dbt_project_runs_when_the_sources_of_its_models_are_ready(world: World) -> None:
    (day,) = world.days(1)
    wait_until(
        lambda: world.stack.sql("select from readiness.flow where dag_id = 'dbt_sales' and not broken"),
        120,
        "the flow of the dbt project",
    )
    wait_until(lambda: _in_the_graph(world), 60, "collector → source → flow", pause=0.5)
    (flow,) = world.stack.sql("select sources from readiness.flow where dag_id = 'dbt_sales'")
    assert sorted(flow["sources"]) == sorted(SOURCES)

    world.expect(SOURCES, [day])
    world.backdate("dbt_sales")
    world.stack.script(ROWS.format(day=day))
    for name in SOURCES[:2]:
        world.log(name, [day])
    world.pass_by()
    assert world.runs("dbt_sales") == []
    world.log(SOURCES[2], [day])
    world.wait_for_runs("dbt_sales", [day])

    wait_until(
        lambda: {"success", "failed", "upstream_failed"}.issuperset(_states(world).values()),
        200,
        "the end of the run",
        pause=1,
    )
    assert set(_states(world).items()) == {
        ("sales_mart.run", "success"),
        ("sales_mart.test", "success"),
        ("sales_by_currency_run", "success"),
    }
    rows = world.stack.sql(
        "select region, amount, as_of from night.sales_by_currency where business_date = $1", day
    )
    assert {(row["region"], int(row["amount"])) for row in rows} == {("north", 15), ("south", 2)}
