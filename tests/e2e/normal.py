"""What holds when nothing is broken any more."""

from __future__ import annotations

from airflow_readiness.demo.processes import wait_until
from tests.e2e.world import World

#: Sessions of Postgres: the processor, the collector, the alarms and the registrar have one each; a worker may
#: be at work.
SESSIONS = 6


def check(world: World) -> None:
    """A launch goes through; no flow ran once more; no process and no session is left."""
    before = _runs(world)
    world.pass_by()
    assert _runs(world) == before
    dead = world.stack.airflow.dead()
    assert dead == [], f"{dead} ended: see its log in {world.folder}"
    wait_until(lambda: not _left_over(world), 30, "the end of what belongs to nobody", pause=0.3)
    wait_until(lambda: _sessions(world) <= SESSIONS, 30, f"only {SESSIONS} sessions of Postgres", pause=0.3)


def _runs(world: World) -> list[tuple[str, str]]:
    rows = world.stack.sql(
        "select dag_id, partition_key from dag_run "
        "where partition_key is not null and dag_id <> 'control' order by 1, 2",
        database="airflow",
    )
    return [(row["dag_id"], row["partition_key"]) for row in rows]


def _left_over(world: World) -> list[str]:
    stack = world.stack
    redis = stack.redis.process.pid if stack.redis.process else 0
    return [str(each) for each in stack.airflow.left_over(stack.folder) if each.pid != redis]


def _sessions(world: World) -> int:
    (row,) = world.stack.sql(
        "select count(*) as n from pg_stat_activity where application_name = 'airflow-readiness'"
    )
    return int(row["n"])
