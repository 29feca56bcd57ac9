"""The collector's tasks take turns: one publishes or waits, the others wait for the one slot of their pool."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from airflow_readiness.demo.processes import wait_until
from tests.e2e.world import World

POOL = "/api/v2/pools/readiness_collector"


def pool(world: World) -> tuple[int, bool]:
    found: dict[str, Any] = world.stack.rest.call("GET", POOL)
    return found["slots"], found["include_deferred"]


@pytest.fixture
def kept(world: World) -> Iterator[None]:
    """Afterwards the pool is as it was, without a hand on it, and launches come."""
    yield
    wait_until(lambda: pool_exists(world) and pool(world) == (1, True), 20, "the pool, as it was", pause=0.3)
    world.pass_by()


def pool_exists(world: World) -> bool:
    names = {each["name"] for each in world.stack.rest.call("GET", "/api/v2/pools")["pools"]}
    return "readiness_collector" in names


@pytest.mark.usefixtures("kept")
def test_a_pool_that_somebody_has_widened_is_narrowed_again(world: World) -> None:
    body = {"name": "readiness_collector", "slots": 5, "include_deferred": False}
    world.stack.rest.call("PATCH", POOL, body, update_mask=["slots", "include_deferred"])


@pytest.mark.usefixtures("kept")
def test_a_pool_that_somebody_has_deleted_is_made_again(world: World) -> None:
    world.stack.rest.call("DELETE", POOL)


def test_no_turn_begins_before_the_last_one_has_ended(world: World) -> None:
    began = world.now()
    for _ in range(3):
        world.pass_by()
    turns = world.stack.sql(
        "select task_id, start_date, end_date from task_instance where dag_id = 'readiness_collector' "
        # not what was killed and tried again: it has kept its first beginning
        "and state = 'success' and try_number = 1 and start_date > $1 order by start_date",
        began,
        database="airflow",
    )
    assert len(turns) > 1
    assert [(a, b) for a, b in pairwise(turns) if b["start_date"] < a["end_date"]] == []
