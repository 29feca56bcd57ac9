"""The least rights of each role: what ``db grants`` prints is enough for its work, and for nothing else."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import asyncpg
import pytest

from airflow_readiness import engine
from airflow_readiness.cli import db
from airflow_readiness.core.condition import of_source
from airflow_readiness.core.document import Launch
from airflow_readiness.store import sql
from airflow_readiness.store.store import Store, open_store

As = Callable[[str], AbstractAsyncContextManager[Store]]
ROLES = ("writer", "releaser", "reader", "engine", "feeder")
SET = "select readiness.set_log_settings('hive', 'sales', 6, 0, null, null, 1)"


@pytest.fixture
async def as_role(store: Store, dsn: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> AsyncIterator[As]:
    """A store of a login that has what was printed for its role; roles are named after the database."""
    # a name that has to be quoted
    names = {role: f"{dsn['database']} {role}" for role in ROLES}
    for name in names.values():
        await store.connection.execute(f'create role "{name}" login')
    db.grants(argparse.Namespace(**names))
    await store.connection.execute(capsys.readouterr().out)
    try:
        yield lambda role: open_store({**dsn, "user": names[role]}, check=role in ("reader", "engine"))
    finally:
        for name in names.values():
            await store.connection.execute(f'drop owned by "{name}"; drop role "{name}"')


async def refused(store: Store, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await store.connection.execute(statement)


async def test_the_writer_reports_logs_in_its_own_name(as_role: As, store: Store, dsn: dict[str, Any]) -> None:
    async with as_role("writer") as writer:
        await writer.connection.execute(
            "select readiness.report_log('hive', 'sales', current_date, 1, 'one', now())"
        )
        await writer.connection.execute(
            "insert into readiness.fm_log (source_database, source_table, load_id)"
            " values ('hive', 'sales', 'two')"
        )
    rows = await store.connection.fetch("select reported_by from readiness.fm_log")
    assert [row["reported_by"] for row in rows] == [f"{dsn['database']} writer"] * 2


@pytest.mark.parametrize(
    "statement",
    [
        "insert into readiness.fm_log (source_database, source_table, reported_by) values ('a', 'b', 'me')",
        "select * from readiness.fm_log",
        "update readiness.fm_log set load_id = 'x'",
        "delete from readiness.fm_log",
        "select * from readiness.source_log",
        "select * from readiness.log_setting",
        "update readiness.log_setting set log_count = 9",
        SET,
        "select * from readiness.advance()",
        "select readiness.expect('hive', 'sales', current_date)",
        "update readiness.deployment set timezone = 'UTC'",
    ],
)
async def test_the_writer_does_nothing_else(as_role: As, statement: str) -> None:
    async with as_role("writer") as writer:
        await refused(writer, statement)


async def test_the_releaser_sets_settings_in_its_own_name(
    as_role: As, store: Store, dsn: dict[str, Any]
) -> None:
    async with as_role("releaser") as releaser:
        await releaser.connection.execute(SET)
        await releaser.connection.execute(SET)
        assert await releaser.connection.fetchval("select count(*) from readiness.log_setting") == 2
    rows = await store.connection.fetch("select set_by from readiness.log_setting")
    assert [row["set_by"] for row in rows] == [f"{dsn['database']} releaser"] * 2


@pytest.mark.parametrize(
    "statement",
    [
        "update readiness.log_setting set deadline = '07:00'",
        "delete from readiness.log_setting",
        "insert into readiness.log_setting (set_by) values ('somebody else')",
        "select readiness.report_log('hive', 'sales')",
        "select * from readiness.processed_log",
        "select * from readiness.advance()",
    ],
)
async def test_the_releaser_does_nothing_else(as_role: As, statement: str) -> None:
    async with as_role("releaser") as releaser:
        await refused(releaser, statement)


async def test_the_reader_reads_everything_there_is(as_role: As, store: Store) -> None:
    names = await store.connection.fetch(
        "select oid::regclass::text as name from pg_class"
        " where relnamespace = 'readiness'::regnamespace and relkind in ('r', 'v')"
    )
    assert len(names) >= 10
    async with as_role("reader") as reader:
        for row in names:
            await reader.connection.execute(f"select * from {row['name']}")


@pytest.mark.parametrize(
    "statement",
    [
        "select readiness.report_log('hive', 'sales')",
        SET,
        "select * from readiness.advance()",
        "select readiness.expect('hive', 'sales', current_date)",
        "update readiness.launch set published_at = now()",
        "delete from readiness.processed_log",
        "create table readiness.mine ()",
    ],
)
async def test_the_reader_writes_nothing(as_role: As, statement: str) -> None:
    async with as_role("reader") as reader:
        await refused(reader, statement)


async def test_the_engine_has_the_rights_of_every_named_query(as_role: As) -> None:
    async with as_role("engine") as connected:
        for name, text in sql.queries().items():
            try:
                # checks the rights as a run does, and needs no arguments; as simple protocol
                await connected.connection.execute(f"explain (generic_plan) {text}")
            except asyncpg.InsufficientPrivilegeError as error:
                pytest.fail(f"{name}: {error}")


async def test_the_engine_does_the_work_of_processor_registrar_and_sensor(as_role: As, store: Store) -> None:
    day = dt.date(2026, 11, 20)
    at = dt.datetime(2026, 11, 20, 3, tzinfo=dt.timezone.utc)
    await store.connection.execute(SET)
    await store.connection.execute("select readiness.report_log('hive', 'sales', $1, logged_at => $2)", day, at)
    condition = of_source("hive.sales")
    flow = {
        "dag_id": "flow",
        "condition": condition.text,
        "expression": condition.to_json(),
        "sources": ["hive.sales"],
        "paused": False,
        "broken": False,
    }
    by_hand = Launch(condition, day, {}, decided_at=at)
    async with as_role("engine") as connected:
        await connected.run("set_deployment", "Europe/Berlin", dt.time(7))
        await connected.run("upsert_flows", [flow])
        await connected.run("flows_gone", ["flow"])
        await connected.run("expect", "hive", "rates", day, at)
        await store.connection.execute("update readiness.flow set first_date = $1", day)
        result = await engine.tick(connected, everything=True, now=at)
        assert [launch.condition for launch in result.launched] == [condition]
        await connected.run("beat", "processor", None, {})
        await connected.run_pairs("attempt", [(condition.text, day)])
        await connected.run("published", [condition.text], [day], [at], [by_hand.to_json()])
        await connected.run("runs_seen", ["flow"], [day], [condition.text], [None])
        await connected.run_pairs("repaired", [("flow", day)])
        await connected.run_pairs("lineage_attempt", [("hive.sales", day)])
        await connected.run("lineage_published", ["hive.sales"], [day], [at])
        assert (await connected.fetch("try_registrar_lock"))[0]["mine"]


@pytest.mark.parametrize(
    "statement",
    [
        "select readiness.report_log('hive', 'sales')",
        SET,
        "update readiness.deployment set id = gen_random_uuid()",
        "delete from readiness.launch",
        "delete from readiness.processed_log",
        "insert into readiness.migration (version, name) values (99, 'x')",
        "create table readiness.mine ()",
        "select readiness.rebuild_source_log()",
    ],
)
async def test_the_engine_reports_no_logs_sets_no_settings_and_deletes_nothing(
    as_role: As, statement: str
) -> None:
    async with as_role("engine") as connected:
        await refused(connected, statement)
