"""Source logs and processed logs in Greenplum are those of Postgres."""

from __future__ import annotations

import datetime as dt
import threading
import tracemalloc
from typing import Any

import psycopg
import pytest

from airflow_readiness.demo.processes import wait_until
from airflow_readiness.feeds import connect, mirror, sql
from airflow_readiness.feeds.mirror import MIRRORS, PROCESSED_LOG, SOURCE_LOG, Mirror, sync
from tests.integration.feeds.conftest import Database

LOGS = (
    "select fm_table, source_database, source_table, business_date, logged_at, load_id, row_count "
    "from readiness.source_log order by logged_at, load_id"
)
RESULTS = (
    f"select {', '.join(PROCESSED_LOG.columns).replace('logs', 'logs::text')} "
    "from readiness.processed_log order by source_database, source_table, business_date"
)


def run(table: Mirror = SOURCE_LOG, **how: Any) -> int:
    """The rows that were sent."""
    with connect.ours() as ours, connect.theirs("readiness_greenplum") as theirs:
        return sync(table, ours, theirs, **how)


def logs(ours: Database, count: int, ago: str = "1 minute", table: str = "sales") -> None:
    ours.execute(
        "insert into readiness.fm_log (source_database, source_table, business_date, logged_at, row_count) "
        "select 'hive', %s, current_date, now() - %s::interval + n * interval '1 microsecond', n "
        "from generate_series(1, %s) as n",
        (table, ago, count),
    )


def same(ours: Database, greenplum: Database, query: str = LOGS) -> bool:
    return ours.execute(query.encode()).fetchall() == greenplum.execute(query.encode()).fetchall()


def test_logs_of_all_fm_tables_arrive_once(ours: Database, greenplum: Database) -> None:
    ours.execute("""
        create table public.team (db text, tab text, done timestamp, run int);
        insert into public.team values
            ('hive', E'odd \\t\\\\ "näme"', '2026-11-20 03:00', 7), ('hive', null, null, null);
        select readiness.register_fm_table('public.team', 'db', 'tab', 'done', load_id => 'run');
    """)
    logs(ours, 3)
    assert run() == 4
    # a row without a time is a log of no day
    here = ours.execute((LOGS.replace(" order", " where logged_at is not null order")).encode()).fetchall()
    assert greenplum.execute(LOGS.encode()).fetchall() == here
    assert run() == 0


def test_only_what_differs_is_sent(ours: Database, greenplum: Database) -> None:
    logs(ours, 50, ago="5 hours")
    assert run() == 50
    logs(ours, 1, ago="3 hours")
    assert run() == 1
    assert same(ours, greenplum)


def test_a_log_that_is_committed_late_or_dated_back_arrives(ours: Database, greenplum: Database) -> None:
    with psycopg.connect(ours.info.dsn) as slow:
        slow.execute("select readiness.report_log('hive', 'late')")
        logs(ours, 2)
        run()
        slow.commit()
    logs(ours, 1, ago="40 hours")
    assert run() >= 2
    assert same(ours, greenplum)


def test_after_an_outage_of_days_nothing_is_missing(ours: Database, greenplum: Database) -> None:
    logs(ours, 1, ago="9 days")
    run()
    greenplum.execute("update readiness.sync_state set compared_at = now() - interval '6 days'")
    logs(ours, 1, ago="5 days")
    assert run() == 1
    assert same(ours, greenplum)


def test_what_is_older_than_the_overlap_arrives_when_asked_for(ours: Database, greenplum: Database) -> None:
    run()
    logs(ours, 1, ago="9 days")
    assert run() == 0
    assert run(days=10) == 1


def test_a_correction_arrives_and_what_is_deleted_stays(ours: Database, greenplum: Database) -> None:
    logs(ours, 3)
    run()
    ours.execute("update readiness.fm_log set row_count = 99 where row_count = 2")
    ours.execute("delete from readiness.fm_log where row_count = 3")
    run()
    counts = greenplum.execute("select row_count from readiness.source_log order by 1").fetchall()
    assert counts == [(1,), (3,), (99,)]


def test_the_same_log_twice_is_one_row(ours: Database, greenplum: Database) -> None:
    ours.execute("""
        insert into readiness.fm_log (source_database, source_table, logged_at, load_id, row_count)
        select 'hive', 'sales', '2026-11-20', 'one', nullif(n, 1) from generate_series(1, 3) as n
    """)
    assert run() == 1
    assert greenplum.execute("select load_id, row_count from readiness.source_log").fetchall() == [("one", 3)]
    assert run() == 0


def test_results_arrive_and_change(ours: Database, greenplum: Database) -> None:
    ours.execute("select readiness.set_log_settings('hive', 'sales', 23, 59, null, null, 1)")
    ours.execute("select readiness.set_log_settings('hive', 'stores', 23, 59, null, null, 1)")
    ours.execute("select from readiness.advance()")
    assert run(PROCESSED_LOG) == 2
    assert same(ours, greenplum, RESULTS)
    logs(ours, 1)
    ours.execute("select from readiness.advance()")
    # that of the other source is in another part
    assert run(PROCESSED_LOG) == 1
    assert same(ours, greenplum, RESULTS)
    states = "select source_table, state, json_array_length(logs) from readiness.processed_log order by 1"
    assert greenplum.execute(states.encode()).fetchall() == [("sales", "ready", 1), ("stores", "waiting", 0)]
    # by whatever hand, without a word in changed_at
    ours.execute(
        "update readiness.processed_log set state = 'late', closed = true where source_table = 'sales'"
    )
    assert run(PROCESSED_LOG) == 1
    assert same(ours, greenplum, RESULTS)
    assert run(PROCESSED_LOG) == 0


def test_a_date_that_nobody_has_judged_yet_waits(ours: Database, greenplum: Database) -> None:
    ours.execute("select readiness.expect('hive', 'sales', current_date)")
    assert run(PROCESSED_LOG) == 0


def test_a_greenplum_that_was_made_anew_gets_everything(ours: Database, greenplum: Database) -> None:
    logs(ours, 5, ago="30 days")
    run()
    greenplum.execute("delete from readiness.source_log_data; delete from readiness.sync_state")
    assert run() == 5


def test_of_more_buckets_than_a_statement_should_name_everything_is_sent(
    ours: Database, greenplum: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "MOST_BUCKETS", 2)
    for hour in range(4):
        logs(ours, 1, ago=f"{hour} hours")
    assert run() == 4
    # the two of that hour
    logs(ours, 1, ago="1 hour")
    assert run() == 2
    for hour in range(3):
        logs(ours, 1, ago=f"{hour} hours")
    assert run() == 8
    assert same(ours, greenplum)


def test_the_window_is_read_by_index(ours: Database) -> None:
    ours.execute("""
        insert into readiness.fm_log (source_database, source_table, logged_at)
        select 'hive', 'sales', now() - (100000 - n) * interval '1 minute' from generate_series(1, 100000) as n;
        insert into readiness.processed_log (source_database, source_table, business_date, changed_at)
        select 'hive', 't' || n % 1000, date '2026-01-01' + n / 1000, now() - (80000 - n) * interval '1 minute'
        from generate_series(1, 80000) as n;
        analyze
    """)
    ours.execute("vacuum readiness.fm_log, readiness.processed_log")
    since = {"since": dt.datetime.now(dt.timezone.utc) - mirror.OVERLAP}
    for name in MIRRORS:
        plan = ours.execute(b"explain " + sql.postgres(f"{name}_rows"), since).fetchall()
        assert any("Bitmap Index Scan" in line for (line,) in plan), plan


CUT = """
    create function public.cut() returns trigger language plpgsql as $$
    begin
        if {when} then perform pg_terminate_backend(pg_backend_pid()); end if;
        return new;
    end $$;
    create {kind} trigger cut {on} for each row execute procedure public.cut();
"""


@pytest.mark.parametrize(
    ("kind", "on", "there"),
    [
        # the first row of the third batch, or all that it has
        ("", "before insert on readiness.source_log_data", 8),
        ("constraint", "after insert on readiness.source_log_data deferrable initially deferred", 10),
    ],
    ids=["in a batch", "at its commit"],
)
def test_a_sync_that_is_cut_off_applies_no_half_batch_and_repeats(
    ours: Database, greenplum: Database, kind: str, on: str, there: int
) -> None:
    for hour in range(10):
        logs(ours, 1, ago=f"{hour} hours")
    when = f"(select count(*) from readiness.source_log_data) = {there}"
    greenplum.execute(CUT.format(when=when, kind=kind, on=on).encode())
    with pytest.raises(psycopg.OperationalError):
        run(batch_rows=4)
    greenplum.execute("drop trigger cut on readiness.source_log_data")
    assert greenplum.execute("select count(*) from readiness.source_log").fetchone() == (8,)
    assert greenplum.execute("select count(*) from readiness.sync_state").fetchone() == (0,)
    assert run(batch_rows=4) == 2
    assert same(ours, greenplum)


def test_a_sync_that_is_cut_off_at_its_very_end_sends_nothing_again(
    ours: Database, greenplum: Database
) -> None:
    logs(ours, 10)
    greenplum.execute(CUT.format(when="true", kind="", on="before insert on readiness.sync_state").encode())
    with pytest.raises(psycopg.OperationalError):
        run()
    greenplum.execute("drop trigger cut on readiness.sync_state")
    assert same(ours, greenplum)
    assert run() == 0


def test_a_postgres_that_goes_away_in_the_middle_leaves_whole_batches(
    ours: Database, greenplum: Database
) -> None:
    # more than fits between the two
    logs(ours, 50_000)
    count = "select count(*) from readiness.source_log"

    def cut(pid: int) -> None:
        with psycopg.connect(greenplum.info.dsn, autocommit=True) as watching:
            wait_until(lambda: watching.execute(count).fetchone() != (0,), 20, "a batch", pause=0.001)
        ours.execute("select pg_terminate_backend(%s)", (pid,))

    with connect.ours() as mine, connect.theirs("readiness_greenplum") as theirs:
        cutting = threading.Thread(target=cut, args=(mine.info.backend_pid,))
        cutting.start()
        with pytest.raises(psycopg.OperationalError):
            sync(SOURCE_LOG, mine, theirs, batch_rows=500)
        cutting.join()
    (sent,) = greenplum.execute(count).fetchone() or (0,)
    assert 0 < sent < 50_000
    assert sent % 500 == 0
    run()
    assert same(ours, greenplum)


@pytest.mark.parametrize("name", sorted(MIRRORS))
def test_a_large_table_is_sent_a_batch_at_a_time(ours: Database, greenplum: Database, name: str) -> None:
    ours.execute("""
        insert into readiness.fm_log (source_database, source_table, logged_at, load_id)
        select 'hive', 'sales', now() - n * interval '1 second', repeat('x', 100) || n
        from generate_series(1, 30000) as n;
        insert into readiness.processed_log (source_database, source_table, business_date, changed_at, logs)
        select 'hive', 't' || n % 3000, date '2026-11-20' - n / 3000, now(), jsonb_build_array(repeat('x', 100))
        from generate_series(0, 29999) as n;
        analyze
    """)
    tracemalloc.start()
    try:
        assert run(MIRRORS[name], batch_rows=1000) == 30_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000
    assert same(ours, greenplum, LOGS if name == "source_log" else RESULTS)
    assert run(MIRRORS[name]) == 0


def test_times_are_the_same_whatever_a_server_is_set_to(ours: Database, greenplum: Database) -> None:
    for connection, zone in ((ours, "Asia/Tokyo"), (greenplum, "America/New_York")):
        name = connection.info.dbname
        connection.execute(f"alter database {name} set timezone to '{zone}'".encode())
        connection.execute(f"alter database {name} set datestyle to 'SQL, DMY'".encode())
    ours.execute(
        "insert into readiness.fm_log (source_database, source_table, business_date, logged_at, load_id) "
        "values ('hive', 'sales', '2026-11-02', '2026-11-02 03:04:05.6+00', 'one')"
    )
    assert run() == 1
    assert run() == 0
    (row,) = greenplum.execute("select business_date, logged_at from readiness.source_log").fetchall()
    assert row == (dt.date(2026, 11, 2), dt.datetime(2026, 11, 2, 3, 4, 5, 600000, dt.timezone.utc))
