"""A deadline and a ready source while the triggerer is killed, replaced, absent, or its clock is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.triggerers import Triggerers
from tests.e2e.world import World

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("back_to_normal")]

FAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)


@pytest.fixture(scope="module")
def triggerers(world: World) -> Iterator[Triggerers]:
    made = Triggerers(world)
    yield made
    if made.name != "triggerer":
        made.replace("triggerer")


def test_two_triggerers_of_which_one_is_killed(world: World, triggerers: Triggerers) -> None:
    triggerers.start("second")
    day = world.fall_due("two_triggerers", seconds=5)
    triggerers.kill()
    triggerers.name = "second"
    world.log("two_triggerers.ready", [day])
    world.wait_for_both("two_triggerers", day, seconds=120)


def test_a_triggerer_killed_and_started_again_at_once(world: World, triggerers: Triggerers) -> None:
    day = world.fall_due("triggerer_restarted", seconds=5)
    triggerers.kill()
    world.log("triggerer_restarted.ready", [day])
    triggerers.start(triggerers.name)
    world.wait_for_both("triggerer_restarted", day, seconds=120)


def test_no_triggerer_for_the_whole_wait(world: World, triggerers: Triggerers) -> None:
    day = world.fall_due("triggerer_absent", seconds=10)
    triggerers.kill()
    try:
        world.log("triggerer_absent.ready", [day])
        # the registrar stands in after 45 s, and Airflow looks for timeouts every 15 s
        world.wait_for_both("triggerer_absent", day, seconds=130)
        assert world.lateness("triggerer_absent_deadline", "triggerer_absent.deadline", day) <= 120
    finally:
        triggerers.start(triggerers.name)
    triggerers.wait_for_hand_over()


@pytest.mark.skipif(FAKETIME is None, reason="no libfaketime: apt-get install faketime")
@pytest.mark.parametrize(("story", "skew"), [("clock_ahead", 7), ("clock_behind", -7)])
def test_a_triggerer_whose_clock_is_wrong(world: World, triggerers: Triggerers, story: str, skew: int) -> None:
    found = triggerers.replace(
        story,
        LD_PRELOAD=str(FAKETIME),
        FAKETIME=f"{skew:+d}s",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
        NO_FAKE_STAT="1",
        PYTHONPATH=str(Path(__file__).parent / "skewed"),
    )
    assert abs(found - skew) < 4, f"libfaketime does not work: the clock is off by {found} s"
    day = world.fall_due(story, seconds=8)
    world.log(f"{story}.ready", [day])
    world.wait_for_both(story, day)
    assert 0 <= world.lateness(f"{story}_deadline", f"{story}.deadline", day) <= 5 + abs(skew)
