"""The launch contract on a real Airflow: never early, never lost, never twice."""

from __future__ import annotations

import threading

import pytest

from tests.e2e.world import World

pytestmark = pytest.mark.timeout(240)


def test_dates_do_not_mix(world: World) -> None:
    first, second, third = days = world.days(3)
    world.expect(["mixed.a", "mixed.b"], days)
    world.backdate("mixed_dates")
    world.log("mixed.a", [first, third])
    world.log("mixed.b", [second])
    world.pass_by()
    assert world.runs("mixed_dates") == []
    world.log("mixed.b", [first])
    world.wait_for_runs("mixed_dates", [first])


def test_either_source_starts_the_flow_and_both_start_it_once(world: World) -> None:
    (day,) = world.days(1)
    world.expect(["either.a", "either.b"], [day])
    world.backdate("either")
    world.log("either.a", [day])
    world.wait_for_runs("either", [day])
    world.log("either.b", [day])
    world.pass_by()
    world.wait_for_runs("either", [day])
    why = world.wait_for_success("either", "why")
    sources = why["sources"]
    assert isinstance(sources, dict)
    assert {name: known["outcome"] for name, known in sources.items()} == {
        "either.a": "ready",
        "either.b": "pending",
    }


def test_two_flows_on_one_condition_both_start(world: World) -> None:
    (day,) = world.days(1)
    world.expect(["twin.a", "twin.b"], [day])
    world.backdate("twin_1", "twin_2")
    world.log("twin.a", [day])
    world.log("twin.b", [day])
    world.wait_for_runs("twin_1", [day])
    world.wait_for_runs("twin_2", [day])
    launches = world.stack.sql(
        "select condition from readiness.launch where condition like 'twin%' and business_date = $1", day
    )
    assert [row["condition"] for row in launches] == ["twin.a & twin.b"]


def test_two_flows_on_one_source_start_when_their_own_condition_holds(world: World) -> None:
    (day,) = world.days(1)
    world.expect(["shared.a", "shared.b"], [day])
    world.backdate("shared_1", "shared_2")
    world.log("shared.a", [day])
    world.wait_for_runs("shared_1", [day])
    assert world.runs("shared_2") == []
    world.log("shared.b", [day])
    world.wait_for_runs("shared_2", [day])
    world.wait_for_runs("shared_1", [day])


def test_forty_dates_whose_two_sources_become_ready_at_the_same_moment(world: World) -> None:
    days = world.days(40)
    world.expect(["forty.a", "forty.b"], days)
    world.backdate("forty")
    barrier = threading.Barrier(2)

    def report(source: str) -> None:
        for day in days:
            barrier.wait()
            world.log(source, [day])

    threads = [threading.Thread(target=report, args=(source,)) for source in ("forty.a", "forty.b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.wait_for_runs("forty", days, seconds=180)
    world.pass_by()
    world.wait_for_runs("forty", days)


def test_three_dates_in_one_batch_each_know_their_own_reason(world: World) -> None:
    days = world.days(3)
    world.expect(["three.a"], days)
    world.backdate("three_dates")
    world.log("three.a", days)
    world.wait_for_runs("three_dates", days)
    for day in days:
        why = world.wait_for_success("three_dates", "why", day.isoformat())
        assert why["business_date"] == day.isoformat()
    attempts = world.stack.sql(
        "select count(distinct attempted_at::timestamp(0)) as batches from readiness.launch "
        "where condition = 'three.a' and business_date = any ($1::date[])",
        days,
    )
    assert attempts[0]["batches"] <= 2


def test_too_few_rows_and_a_repeated_row_start_nothing(world: World) -> None:
    (day,) = world.days(1)
    world.stack.sql("select readiness.set_log_settings('few', 'a', 23, 59, null, null, 2)")
    world.expect(["few.a"], [day])
    world.backdate("few_rows")
    world.log("few.a", [day], load_id="load-1")
    world.log("few.a", [day], load_id="load-1")
    world.pass_by()
    assert world.runs("few_rows") == []
    world.log("few.a", [day], load_id="load-2")
    world.wait_for_runs("few_rows", [day])


def test_settings_changed_while_waiting_take_effect_at_once(world: World) -> None:
    (day,) = world.days(1)
    world.stack.sql("select readiness.set_log_settings('changed', 'a', 23, 59, null, null, 2)")
    world.expect(["changed.a"], [day])
    world.backdate("changed_settings")
    world.log("changed.a", [day])
    world.pass_by()
    assert world.runs("changed_settings") == []
    world.stack.sql("select readiness.set_log_settings('changed', 'a', 23, 59, null, null, 1)")
    world.wait_for_runs("changed_settings", [day])


def test_six_hundred_half_ready_pairs_delay_nobody(world: World) -> None:
    days = world.days(30)
    flows = [f"half_{number:02}" for number in range(20)]
    sources = [f"half.a{number}" for number in range(20)]
    world.expect([*sources, "half.never", "half.complete"], days)
    world.backdate(*flows)
    for source in sources:
        world.log(source, days)
    world.backdate("half_complete")
    world.log("half.complete", days[:1])
    world.wait_for_runs("half_complete", days[:1], seconds=30)
    half_ready = world.stack.sql(
        "select count(*) as pairs from readiness.processed_log "
        "where source like 'half.a%' and state = 'ready' and business_date = any ($1::date[])",
        days,
    )
    assert half_ready[0]["pairs"] == 600
    assert all(world.runs(flow) == [] for flow in flows)
