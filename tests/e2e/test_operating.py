"""What operators do by hand starts flows on a real Airflow: once, not early, and nobody else's."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from airflow_readiness.demo.processes import wait_until
from tests.e2e.test_commands import readiness
from tests.e2e.world import World

pytestmark = pytest.mark.timeout(400)

WHY = ("--reason", "the loader is broken")


def command(world: World, *arguments: str, code: int = 0) -> Any:
    """What a command prints with ``--json``."""
    done = readiness(world, *arguments, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_source_that_is_marked_ready_or_skipped_starts_its_flow(world: World) -> None:
    (day,) = world.days(1)
    world.backdate("hand_marked", "hand_skipped")
    world.expect(["hand.marked", "hand.skipped", "hand.logged"], [day])
    command(world, "mark-ready", "hand.marked", "--date", f"{day}", *WHY)
    said = command(world, "skip", "hand.skipped", "--date", f"{day}", *WHY)
    assert (said["waiting"], said["launched"]) == (["hand_skipped"], [])
    assert world.runs("hand_marked") == world.runs("hand_skipped") == []
    world.log("hand.logged", [day])
    outcomes = {"hand_marked": {"hand.marked": "ready"}, "hand_skipped": {"hand.skipped": "skipped"}}
    for flow, expected in outcomes.items():
        world.wait_for_runs(flow, [day])
        sources = world.wait_for_success(flow, "why")["sources"]
        assert isinstance(sources, dict)
        ((name, outcome),) = expected.items()
        assert sources[name]["outcome"] == outcome
        assert sources[name]["by_hand"]["reason"] == "the loader is broken"
        assert sources["hand.logged"]["outcome"] == "ready"
    why = command(world, "why", "hand_marked", "--date", f"{day}")
    assert why["outcomes"] == {"hand.marked": "ready", "hand.logged": "ready"}


def test_another_deadline_holds_and_then_the_flow_runs_again(world: World) -> None:
    (day,) = world.days(1)
    world.backdate("hand_extended")
    world.expect(["hand.extended"], [day])
    soon = world.now() + dt.timedelta(seconds=25)
    command(world, "extend", "hand.extended", "--date", f"{day}", "--to", soon.isoformat(), *WHY)
    assert world.runs("hand_extended") == []
    world.wait_for_runs("hand_extended", [day], seconds=90)
    assert 0 <= world.lateness("hand_extended", "hand.extended", day) <= 30

    # the same flow again, because somebody asks for it
    first = world.wait_for_success("hand_extended", "why")
    run_id = command(world, "rerun", "hand_extended", "--date", f"{day}", *WHY)["run_id"]

    def state() -> str | None:
        runs = {run["dag_run_id"]: run["state"] for run in world.stack.rest.runs("hand_extended")}
        return runs.get(run_id)

    wait_until(lambda: state() == "success", 60, "the second run", pause=0.3)
    assert world.runs("hand_extended") == [f"{day}"] * 2
    path = f"/api/v2/dags/hand_extended/dagRuns/{run_id}/taskInstances/why/xcomEntries/return_value"
    second = world.stack.rest.call("GET", path, deserialize="true")["value"]
    assert second["condition"] == first["condition"]
    assert second["business_date"] == f"{day}"
    world.pass_by()
    assert world.runs("hand_extended") == [f"{day}"] * 2
    (row,) = world.stack.sql(
        "select * from readiness.audit where action = 'rerun' and dag_id = 'hand_extended'"
    )
    assert (row["dag_id"], row["business_date"], row["reason"]) == ("hand_extended", day, WHY[1])


def test_past_dates_are_filled_for_one_flow_and_nobody_else(world: World) -> None:
    days = world.days(3, before=40)
    world.log("hand.filled", [days[0], days[2]])
    asked = ("backfill", "hand_filled", "--from", f"{days[2]}", "--to", f"{days[0]}")
    done = command(world, *asked, code=1)
    assert set(done["launched"]) == {f"{days[0]}", f"{days[2]}"}
    assert done["missing"] == {f"{days[1]}": "hand.filled (0/1 logs)"}
    world.wait_for_runs("hand_filled", [days[0], days[2]])
    world.log("hand.filled", [days[1]])
    again = command(world, *asked)
    assert (set(again["launched"]), set(again["left_alone"])) == ({f"{days[1]}"}, set(done["launched"]))
    world.pass_by()
    world.wait_for_runs("hand_filled", days)
    assert world.runs("hand_beside") == []
    # what was filled for one may be filled for another, and nothing is done twice
    command(world, "backfill", "hand_beside", "--from", f"{days[2]}", "--to", f"{days[2]}")
    world.wait_for_runs("hand_beside", [days[2]])
    world.wait_for_runs("hand_filled", days)
