"""A team's own log table: other names, other types, no copy."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import asyncpg
import pytest

from airflow_readiness.store.store import Store, open_store

DAY = dt.date(2026, 11, 20)
REGISTER = (
    "select readiness.register_fm_table('team.loads', 'db', 'tab', 'Finished At', "
    "load_id => 'run', business_date => 'for day', row_count => 'n')"
)


def at(clock: str) -> dt.datetime:
    return dt.datetime.combine(DAY, dt.time.fromisoformat(clock), dt.timezone.utc)


@pytest.fixture
async def team(store: Store) -> asyncpg.Connection:
    """A table with names and types of its own, and an index that begins with the source."""
    await store.connection.execute("""
        create schema team;
        create table team.loads (
            db varchar(40), tab varchar(40), "Finished At" timestamp, run integer, "for day" text, n numeric
        );
        create index on team.loads (db, tab);
    """)
    return store.connection


async def insert(
    team: asyncpg.Connection, finished: str, day: str | None, run: int | None = None, n: str = "1"
) -> None:
    await team.execute(
        "insert into team.loads values ('hive', 'sales', $1, $2, $3, $4::text::numeric)",
        dt.datetime.combine(DAY, dt.time.fromisoformat(finished)),
        run,
        day,
        n,
    )


async def test_its_rows_appear_in_source_log_in_the_time_zone_of_the_deployment(
    team: asyncpg.Connection,
) -> None:
    await team.execute(REGISTER)
    # as it happens: the processor sets the time zone after the tables were registered
    await team.execute("update readiness.deployment set timezone = 'Europe/Berlin'")
    await insert(team, "03:00", "2026-11-20", 7, "12")
    (row,) = await team.fetch("select * from readiness.source_log")
    assert dict(row) == {
        "fm_table": "team.loads",
        "source_database": "hive",
        "source_table": "sales",
        "business_date": DAY,
        "logged_at": at("02:00"),
        "load_id": "7",
        "row_count": 12,
    }


async def test_its_rows_make_a_source_ready_together_with_those_of_other_tables(
    team: asyncpg.Connection, store: Store
) -> None:
    await team.execute(REGISTER)
    await team.execute("select readiness.set_log_settings('hive', 'sales', 6, 0, null, null, 2)")
    await insert(team, "03:00", "2026-11-20", 7)
    await team.execute("select readiness.report_log('hive', 'sales', $1, logged_at => $2)", DAY, at("04:00"))
    (row,) = await store.fetch("advance", at("05:00"))
    assert (row["state"], row["log_count"], row["ready_at"]) == ("ready", 2, at("04:00"))


@pytest.mark.parametrize("day", ["rubbish", "", "2026-13-45", "today", "infinity", "20.11.2026"])
async def test_a_business_date_that_does_not_parse_counts_for_none_and_stops_nothing(
    team: asyncpg.Connection, store: Store, day: str
) -> None:
    await team.execute(REGISTER)
    await team.execute("select readiness.set_log_settings('hive', 'sales', 6, 0, null, null, 2)")
    await insert(team, "03:00", day, 1)
    await insert(team, "03:10", "2026-11-20", 2)
    today = await team.fetchval("select current_date")
    for instant in (at("04:00"), dt.datetime.combine(today, dt.time(23), dt.timezone.utc)):
        await store.fetch("advance", instant)
    counts = await team.fetch(
        "select log_count from readiness.processed_log where business_date in ($1, $2) order by business_date",
        DAY,
        today,
    )
    assert counts[0]["log_count"] == 1
    assert [row["log_count"] for row in counts[1:]] in ([], [0])


@pytest.mark.parametrize("day", ["2026-11-20", "20261120", "2026-11-20 00:00:00"])
async def test_a_business_date_written_as_text_is_read(team: asyncpg.Connection, day: str) -> None:
    await team.execute(REGISTER)
    await insert(team, "03:00", day)
    assert await team.fetchval("select business_date from readiness.source_log") == DAY


async def test_a_null_business_date_counts_by_the_time_of_the_log(
    team: asyncpg.Connection, store: Store
) -> None:
    await team.execute(REGISTER)
    await team.execute("select readiness.set_log_settings('hive', 'sales', 6, 0, null, null, 1)")
    await insert(team, "03:00", None)
    assert [row["state"] for row in await store.fetch("advance", at("04:00"))] == ["ready"]


@pytest.mark.parametrize("n", ["NaN", "-1", "1e30"])
async def test_an_absurd_number_of_rows_is_unknown_and_stops_nothing(team: asyncpg.Connection, n: str) -> None:
    await team.execute(REGISTER)
    await insert(team, "03:00", "2026-11-20", n=n)
    assert [row["row_count"] for row in await team.fetch("select row_count from readiness.source_log")] == [
        None
    ]


async def test_without_a_load_id_each_time_is_a_load_of_its_own(team: asyncpg.Connection, store: Store) -> None:
    await team.execute("select readiness.register_fm_table('team.loads', 'db', 'tab', 'Finished At')")
    await team.execute("select readiness.set_log_settings('hive', 'sales', 6, 0, null, null, 3)")
    for finished in ("03:00", "03:00", "03:10"):
        await insert(team, finished, None)
    (row,) = await store.fetch("advance", at("04:00"))
    assert (row["state"], row["log_count"]) == ("waiting", 2)


async def test_rows_whose_load_id_is_null_are_not_taken_for_one(team: asyncpg.Connection, store: Store) -> None:
    await team.execute(REGISTER)
    await team.execute("select readiness.set_log_settings('hive', 'sales', 6, 0, null, null, 2)")
    await insert(team, "03:00", "2026-11-20", None)
    await insert(team, "03:10", "2026-11-20", None)
    assert [row["state"] for row in await store.fetch("advance", at("04:00"))] == ["ready"]


async def test_a_business_date_that_is_an_instant_is_a_date_in_the_time_zone_of_the_deployment(
    store: Store,
) -> None:
    await store.connection.execute("""
        update readiness.deployment set timezone = 'Europe/Berlin';
        create table stamped (db text, tab text, done timestamptz, batch timestamptz);
        insert into stamped values ('hive', 'sales', now(), '2026-11-19 23:00+00');
        select readiness.register_fm_table('stamped', 'db', 'tab', 'done', business_date => 'batch');
    """)
    assert await store.connection.fetchval("select business_date from readiness.source_log") == DAY


async def test_a_column_that_is_not_there_is_answered_with_those_that_are(team: asyncpg.Connection) -> None:
    with pytest.raises(
        asyncpg.UndefinedColumnError, match='table team.loads has no column "finished"'
    ) as caught:
        await team.execute("select readiness.register_fm_table('team.loads', 'db', 'tab', 'finished')")
    assert caught.value.hint == "Its columns are: db, tab, Finished At, run, for day, n"


async def test_a_column_that_was_dropped_is_not_there(team: asyncpg.Connection) -> None:
    await team.execute("alter table team.loads drop column run")
    with pytest.raises(asyncpg.UndefinedColumnError, match='has no column "run"'):
        await team.execute(REGISTER)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "'db', 'tab', 'run'",
            'column "run" of team.loads is integer, and the time of a log must be a timestamp',
        ),
        (
            "'db', 'tab', 'Finished At', row_count => 'tab'",
            'column "tab" of team.loads is character varying, and a number of rows must be a number',
        ),
    ],
)
async def test_a_column_of_a_wrong_type_is_refused_by_name(
    team: asyncpg.Connection, arguments: str, message: str
) -> None:
    with pytest.raises(asyncpg.DatatypeMismatchError, match=message):
        await team.execute(f"select readiness.register_fm_table('team.loads', {arguments})")
    assert await team.fetchval("select count(*) from readiness.fm_table") == 0


async def test_a_table_without_the_time_of_the_log_is_refused(team: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.NullValueNotAllowedError, match="name the columns") as caught:
        await team.execute("select readiness.register_fm_table('team.loads', 'db', 'tab', null)")
    assert "Finished At" in caught.value.hint


async def test_a_table_of_readiness_itself_is_refused(store: Store) -> None:
    with pytest.raises(asyncpg.WrongObjectTypeError, match="readiness.fm_log is readiness's own"):
        await store.connection.execute(
            "select readiness.register_fm_table("
            "'readiness.fm_log', 'source_database', 'source_table', 'logged_at')"
        )


async def test_registering_again_updates_whatever_the_search_path_is(team: asyncpg.Connection) -> None:
    await team.execute(REGISTER)
    await insert(team, "03:00", "2026-11-20", 7)
    await team.execute("set search_path = team")
    await team.execute("select readiness.register_fm_table('loads', 'tab', 'db', 'Finished At')")
    await team.execute("reset search_path")
    (row,) = await team.fetch("select source_database, business_date, load_id from readiness.source_log")
    assert (row["source_database"], row["business_date"]) == ("sales", None)
    assert row["load_id"] != "7"


async def test_several_tables_may_be_registered(team: asyncpg.Connection) -> None:
    await team.execute(REGISTER)
    await insert(team, "03:00", "2026-11-20", 7)
    await team.execute("""
        create table team.others (like team.loads);
        insert into team.others select * from team.loads;
        select readiness.register_fm_table('team.others', 'db', 'tab', 'Finished At');
        select readiness.report_log('hive', 'sales');
    """)
    rows = await team.fetch("select fm_table from readiness.source_log order by fm_table")
    assert [row["fm_table"] for row in rows] == ["readiness.fm_log", "team.loads", "team.others"]


@pytest.mark.parametrize(("doorbell", "rings"), [(True, 1), (False, 0)])
async def test_its_doorbell_rings_once_a_statement_unless_switched_off(
    team: asyncpg.Connection, dsn: dict[str, Any], doorbell: bool, rings: int
) -> None:
    await team.execute(
        "select readiness.register_fm_table('team.loads', 'db', 'tab', 'Finished At', doorbell => $1)", doorbell
    )
    heard: list[str] = []
    last = asyncio.Event()

    def hear(payload: str) -> None:
        heard.append(payload)
        if payload == "last":
            last.set()

    async with open_store(dsn) as listener:
        await listener.ring_on(hear)
        await team.execute("insert into team.loads select 'hive', 'sales', now() from generate_series(1, 3)")
        # what is notified arrives in the order of the commits
        await listener.ring("last")
        await asyncio.wait_for(last.wait(), 5)
    assert heard == ["loads"] * rings + ["last"]


async def test_a_table_without_an_index_on_its_source_is_pointed_out(team: asyncpg.Connection) -> None:
    notices: list[str] = []
    team.add_log_listener(lambda _connection, message: notices.append(str(message)))
    await team.execute(REGISTER)
    assert notices == []
    await team.execute("create table bare (db text, tab text, done timestamptz)")
    await team.execute("select readiness.register_fm_table('bare', 'db', 'tab', 'done')")
    assert "no index of public.bare begins with its source" in notices[0]


async def test_counting_reads_the_logs_by_index_in_every_table(team: asyncpg.Connection, store: Store) -> None:
    await team.execute("""
        insert into readiness.fm_log (source_database, source_table, business_date, logged_at)
        select 'hive', 't' || source, case when source % 2 = 0 then date '2026-11-20' - ago end,
               timestamptz '2026-11-20 03:00+00' - make_interval(days => ago)
        from generate_series(1, 200) as source, generate_series(0, 249) as ago;
        insert into team.loads
        select 'hive', source_table, logged_at at time zone 'UTC', row_number() over (), business_date
        from readiness.fm_log;
        analyze readiness.fm_log, team.loads;
    """)
    await team.execute(REGISTER)
    for source in ("t1", "t2"):
        await team.execute("select readiness.set_log_settings('hive', $1, 6, 0, null, null, 2)", source)
    reads = (
        "select relname, seq_scan, idx_tup_fetch from pg_stat_xact_user_tables "
        "where relname in ('fm_log', 'loads') order by relname"
    )
    async with team.transaction():
        before = await team.fetch(reads)
        rows = await store.fetch("advance", at("04:00"))
        after = await team.fetch(reads)
    assert [row["state"] for row in rows] == ["ready", "ready"]
    assert [row["seq_scan"] for row in after] == [row["seq_scan"] for row in before]
    fm_log, loads = (
        now["idx_tup_fetch"] - then["idx_tup_fetch"] for then, now in zip(before, after, strict=True)
    )
    # today's row of each source, not its history; the team's index leads to all of its source's
    assert 2 <= fm_log <= 10
    assert 2 <= loads <= 2 * 2 * 250


async def test_a_table_that_is_unregistered_can_be_dropped(team: asyncpg.Connection, store: Store) -> None:
    await team.execute(REGISTER)
    await team.execute("select readiness.unregister_fm_table('team.loads')")
    await team.execute("drop table team.loads")
    assert await store.fetch("advance", at("04:00")) == []
    assert await team.fetch("select from readiness.fm_table") == []


async def test_unregistering_what_is_not_registered_says_where_to_look(team: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.UndefinedObjectError, match="team.loads is not registered") as refusal:
        await team.execute("select readiness.unregister_fm_table('team.loads')")
    assert "readiness.fm_table" in str(refusal.value.hint)
