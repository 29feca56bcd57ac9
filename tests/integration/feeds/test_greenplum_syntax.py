"""No statement that is sent to Greenplum needs a newer syntax than that of 9.4."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_readiness.feeds import connect, releases, sql
from airflow_readiness.feeds.mirror import MIRRORS, sync
from airflow_readiness.store.sql import named
from tests.integration.feeds.conftest import Database, airflow_connection, database
from tests.integration.feeds.old_syntax import NEWER_WORDS, OLD_FUNCTIONS, newer
from tests.integration.own_postgres import OwnPostgres

MARK = "~statement~"
NAME = "greenplum_syntax"


@pytest.fixture
def listening(own_postgres: OwnPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A database on a server that writes down every statement, the connection ``readiness_greenplum``."""
    server = {"host": own_postgres.server.host, "user": own_postgres.server.user}
    with database({**server, "dbname": "postgres"}) as admin:
        admin.execute(f"create database {NAME}".encode())
        admin.execute(f"alter system set log_line_prefix = '{MARK}%d '".encode())
        admin.execute("alter system set log_statement = 'all'")
        admin.execute("select pg_reload_conf()")
        airflow_connection(monkeypatch, "readiness_greenplum", {**server, "dbname": NAME})
        yield {**server, "dbname": NAME}
        admin.execute("alter system reset all")
        admin.execute("select pg_reload_conf()")
        admin.execute(f"drop database {NAME}".encode())


def statements(log: str) -> list[str]:
    entries = (entry.partition(" ") for entry in log.split(MARK)[1:])
    sent = re.compile(r"LOG:  (?:statement|execute [^:]+): (.*)", re.DOTALL)
    told = (sent.match(text) for name, _, text in entries if name == NAME)
    return [found.group(1) for found in told if found]


def test_whatever_is_sent_is_old(ours: Database, listening: dict[str, Any], own_postgres: OwnPostgres) -> None:
    with database(listening) as release:
        release.execute(sql.read(sql.GREENPLUM_SCHEMA).encode())
        release.execute("select readiness.set_log_settings('hive', 'sales', 6, 0, 20, null, 1)")
    ours.execute("select readiness.report_log('hive', 'sales')")
    for _ in range(2):
        ours.execute("select from readiness.advance()")
        with connect.ours() as mine, connect.theirs("readiness_greenplum") as theirs:
            releases.load(mine, theirs)
            for mirror in MIRRORS.values():
                sync(mirror, mine, theirs)
    sent = statements((own_postgres.folder / "log").read_text())
    # nothing escapes: each query was sent, and begin, commit and cursors too
    flat = [" ".join(statement.split()) for statement in sent]
    for name, query in named(sql.read("greenplum.sql")).items():
        first_lines = " ".join(line.strip() for line in query.splitlines() if not line.startswith("--"))
        begins = re.split(r"[{%]", first_lines)[0].strip()
        assert any(begins in statement for statement in flat), name
    assert any("create or replace function readiness.set_log_settings" in statement for statement in flat)
    assert {"BEGIN", "COMMIT"} <= set(flat)
    assert [(statement, found) for statement in sent if (found := newer(statement))] == []


@pytest.mark.parametrize(
    "statement",
    [
        "insert into t values (1) on conflict do nothing",
        "create index if not exists i on t (a)",
        "alter table t add column if not exists a integer",
        "select f(a => 1)",
        "update t set (a, b) = (select 1, 2)",
        "create or replace trigger x before insert on t for each row execute procedure f()",
        "create trigger x before insert on t for each row execute function f()",
        "insert into t as x values (1)",
        "create table t (id bigint generated always as identity)",
        "with x as materialized (select 1) select * from x",
        "create table p partition of t for values in (1)",
        "select count(*) filter (where a) from t",
        "select * from t for update skip locked",
        "select a, count(*) from t group by rollup (a)",
        "call p()",
        "merge into t using s on t.a = s.a when matched then delete",
        "create procedure p() language sql as 'select 1'",
        "select * from unnest(array[1]) with ordinality",
        "select jsonb_agg(a) from t",
        "select gen_random_uuid()",
        "select make_interval(days := 1)",
        "select format('%s', a) from t",
        "select to_regclass('t')",
        "select a::jsonb from t",
        "select * from (select 1) where true",
        "select * from (select (2)) join t using (a)",
        "select from t",
        "drop function f",
        "create index i on t using brin (a)",
        "copy t (a) from stdin where a > 1",
        "select 1_000",
        "do $$ begin insert into t values ('on conflict') on conflict do nothing; end $$",
    ],
)
def test_what_is_newer_is_found(statement: str) -> None:
    assert newer(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into t (a) select 'on conflict => skip' -- generated\n from s /* merge */ where \"new\" = 1",
        "create table if not exists t (a json)",
        "select * from (select 1) as r where true",
        "select max(a) from (values (1)) v (a)",
    ],
)
def test_what_is_old_is_let_through(statement: str) -> None:
    assert newer(statement) == []


def test_the_word_lists_are_those_of_the_servers(greenplum: Database, greenplum_server: dict[str, Any]) -> None:
    """On the old server: it has these functions and none of those words; on the new one the rest."""
    words = {row[0] for row in greenplum.execute("select word from pg_get_keywords()")}
    functions = {row[0] for row in greenplum.execute("select distinct proname from pg_proc")}
    assert words | functions >= OLD_FUNCTIONS
    if greenplum.info.server_version < 90400:
        assert not words & NEWER_WORDS
    else:
        assert words > NEWER_WORDS
