"""A deadline while the log Postgres is away, a ready source while Redis is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis as redis_client

from airflow_readiness.core.names import launch_key
from airflow_readiness.demo.processes import wait_until
from tests.e2e.world import World

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("back_to_normal")]


@contextmanager
def postgres_away(world: World) -> Iterator[None]:
    """The database of readiness refuses everybody; Airflow's own goes on."""
    world.stack.sql("alter database readiness allow_connections false", database="postgres")
    world.stack.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'readiness'",
        database="postgres",
    )
    try:
        yield
    finally:
        world.stack.sql("alter database readiness allow_connections true", database="postgres")


def test_a_deadline_while_the_log_postgres_is_away(world: World) -> None:
    (day,) = world.days(1)
    world.backdate("outage_postgres")
    world.expect(["outage.postgres"], [day], seconds=15)
    client = redis_client.Redis(port=world.stack.redis.port)
    key = launch_key("outage.postgres", day.isoformat())
    wait_until(lambda: client.get(key) is not None, 10, "the plan in Redis")
    assert json.loads(client.get(key) or "{}")["due_at"], "a plan without its deadline"
    with postgres_away(world):
        world.wait_for_runs("outage_postgres", [day], seconds=60)
    world.pass_by()
    world.pass_by()
    world.wait_for_runs("outage_postgres", [day])
    (launch,) = world.stack.sql("select published_at from readiness.launch where condition = 'outage.postgres'")
    assert launch["published_at"] is not None


def test_a_source_that_becomes_ready_while_redis_is_away(world: World) -> None:
    (day,) = world.days(1)
    world.backdate("outage_redis")
    world.expect(["outage.redis"], [day])
    world.stack.redis.stop()
    try:
        world.log("outage.redis", [day])
        world.wait_for_runs("outage_redis", [day], seconds=60)
    finally:
        world.stack.redis.start()
    world.pass_by()
    world.wait_for_runs("outage_redis", [day])
    client = redis_client.Redis(port=world.stack.redis.port)
    wait_until(lambda: client.exists("readiness:snapshot"), 60, "Redis, written anew")
