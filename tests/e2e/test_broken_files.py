"""A flow's file that does not parse over its launch, and is mended."""

from __future__ import annotations

import pytest

from airflow_readiness.demo.processes import wait_until
from tests.e2e.world import World

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("back_to_normal")]

FLOWS = ("broken_alone", "broken_twin")


def test_files_broken_over_a_launch_and_mended(world: World) -> None:
    (day,) = world.days(1)
    world.expect(["broken.alone", "broken.shared"], [day])
    world.backdate(*FLOWS, "sound_twin")
    sound = {flow: (world.dags / f"{flow}.py").read_text() for flow in FLOWS}
    for flow, text in sound.items():
        (world.dags / f"{flow}.py").write_text(f"{text}\nthis is no Python\n")
    wait_until(lambda: _broken(world) == set(FLOWS), 90, "two broken flows in the registry", pause=0.3)
    # when a file goes, Airflow forgets what all DAGs of broken files are scheduled on
    (world.dags / "spare.py").unlink()
    wait_until(lambda: not _references(world), 90, "two flows that Airflow has no schedule of", pause=0.3)
    # and the registrar has had a look since
    seen_at = world.now()
    wait_until(lambda: world.beat_of("registrar") > seen_at, 30, "the registrar")
    assert _broken(world) == set(FLOWS)
    world.log("broken.alone", [day])
    world.log("broken.shared", [day])
    # the twin in another file does not wait for it
    world.wait_for_runs("sound_twin", [day])
    world.pass_by()
    assert world.runs("broken_alone") == world.runs("broken_twin") == []
    for flow, text in sound.items():
        (world.dags / f"{flow}.py").write_text(text)
    for flow in FLOWS:
        world.wait_for_runs(flow, [day], seconds=90)
    world.wait_for_runs("sound_twin", [day])


def _references(world: World) -> int:
    query = "select from dag_schedule_asset_reference where dag_id = any ($1)"
    return len(world.stack.sql(query, list(FLOWS), database="airflow"))


def _broken(world: World) -> set[str]:
    query = "select dag_id from readiness.flow where broken and gone_at is null and dag_id = any ($1)"
    rows = world.stack.sql(query, list(FLOWS))
    return {row["dag_id"] for row in rows}
