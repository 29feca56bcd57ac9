"""A real Airflow with real servers, started once for all end-to-end tests."""

from __future__ import annotations

import datetime as dt
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_readiness.demo.processes import wait_until
from airflow_readiness.demo.scenario import noon_timezone
from airflow_readiness.demo.stack import stack
from tests import real_dbt
from tests.e2e import normal
from tests.e2e.world import World
from tests.statsd import settings, statsd

HERE = Path(__file__).parent
#: how many flows the files in dags/ have
FLOWS = 82


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On two Airflows, of which one is broken again and again.

    Those in a browser come last: what they start at today's date is in nobody's way then. First of all hooks:
    pytest-xdist reads the groups in its own.
    """
    for item in items:
        if item.path.is_relative_to(HERE):
            broken = "back_to_normal" in getattr(item, "fixturenames", ())
            item.add_marker(pytest.mark.xdist_group("broken airflow" if broken else "airflow"))
    items.sort(key=lambda item: item.path.is_relative_to(HERE / "browser"))


@pytest.fixture(scope="session")
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    # not pytest's folder: that is closed to the user whom Postgres runs as when the tests run as root
    folder = Path(tempfile.mkdtemp(prefix="readiness-e2e-"))
    try:
        yield from _world(folder)
    finally:
        if request.session.testsfailed:
            sys.stderr.write(f"\nAirflow's logs are kept in {folder}\n")
        else:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def back_to_normal(world: World) -> Iterator[None]:
    """For a test that breaks things: afterwards everything works, without a hand on it, and nothing is left."""
    yield
    normal.check(world)


def _world(folder: Path) -> Iterator[World]:
    dags = folder / "dags"
    shutil.copytree(HERE / "dags", dags)
    zone = noon_timezone(dt.datetime.now(dt.timezone.utc))
    extra = {
        "AIRFLOW__READINESS__TIMEZONE": zone,
        # today is judged for every flow too; its deadline is far enough away to play no part
        "AIRFLOW__READINESS__DEFAULT_DEADLINE": "23:59",
        # parsing is most of what an Airflow without work costs
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        "E2E_FOLDER": str(folder),
        # for the flow of dags/dbt_sales; neither dbt nor Cosmos tells anybody about it
        "DBT": str(real_dbt.PROGRAM),
        "DO_NOT_TRACK": "1",
    }
    with statsd() as listener, stack(folder / "state", dags, extra=extra | settings(listener)) as running:
        today = running.sql("select (now() at time zone $1)::date as day", zone)[0]["day"]
        world = World(running, dags, folder, today, listener)

        def listening() -> bool:
            able = running.sql("select dag_id from readiness.flow where not broken")
            beats = running.sql(
                "select from readiness.heartbeat where part = 'processor' and detail->>'redis' = 'true'"
            )
            return len(able) >= FLOWS and bool(beats)

        wait_until(listening, 180, "all flows in the registry, and a processor", pause=0.5)
        began = time.monotonic()
        world.pass_by()
        assert time.monotonic() - began < 60
        yield world
