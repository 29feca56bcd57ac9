"""Alarms: each is told once by each notifier, and one that fails or hangs stops no other."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import asyncpg
import pytest
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import BaseNotifier

from airflow_readiness import alarms as module
from airflow_readiness import engine, readiness_dags
from airflow_readiness.alarms import AlarmOperator
from airflow_readiness.cli import db
from airflow_readiness.config import Config
from airflow_readiness.store.store import Store, open_store
from tests.integration.smtp_server import mailbox

pytestmark = pytest.mark.usefixtures("deployed")

Sql: TypeAlias = Callable[..., list[Any]]
Run: TypeAlias = Callable[[Callable[[Store], Any]], Any]


class Notes(BaseNotifier):
    """A notifier that notes what it renders."""

    template_fields = ("text",)
    told: list[tuple[str, Mapping[str, Any]]] = []

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        self.told.append((self.text, context))


class Later(Notes):
    """One that only knows the asynchronous way."""

    notify = BaseNotifier.notify

    async def async_notify(self, context: Any) -> None:
        await asyncio.sleep(0)
        self.told.append((self.text, context))


@pytest.fixture(autouse=True)
def told() -> list[tuple[str, Mapping[str, Any]]]:
    Notes.told.clear()
    return Notes.told


@pytest.fixture
def run(dsn: dict[str, Any]) -> Run:
    """Do something with a store, outside of any loop: notifiers are told in the main thread."""

    def work(what: Callable[[Store], Any]) -> Any:
        async def inside() -> Any:
            async with open_store(dsn) as store:
                return await what(store)

        return asyncio.run(inside())

    return work


@pytest.fixture
def sql(run: Run) -> Sql:
    return lambda query, *args: list(run(lambda store: store.connection.fetch(query, *args)))


@pytest.fixture
def missed(run: Run, sql: Sql, settings: Config, today: dt.date) -> None:
    """Two sources of today that have missed their deadline; a flow waits for one."""

    async def prepare(store: Store) -> None:
        await engine.configure(store, settings)
        for table in ("sales", "stores"):
            await store.connection.execute(
                "select readiness.set_log_settings('hive', $1, 18, 0, null, null, 1)", table
            )
        await engine.tick(store)
        await store.connection.execute(
            "update readiness.processed_log set deadline_override = clock_timestamp() - interval '1 minute'"
        )
        flow = {"dag_id": "flow", "condition": "hive.sales", "expression": "hive.sales"}
        await store.run("upsert_flows", [flow | {"sources": ["hive.sales"], "paused": False, "broken": False}])
        await engine.tick(store)

    run(prepare)


def operator(**given: Any) -> AlarmOperator:
    *_, alarms = readiness_dags(**given)
    (task,) = alarms.tasks
    assert isinstance(task, AlarmOperator)
    return task


def tell(task: AlarmOperator) -> None:
    task.tell({"dag": task.dag})


@pytest.mark.usefixtures("missed")
def test_a_missed_source_is_told_once_with_what_a_message_needs(
    told: list[Any], today: dt.date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/")
    task = operator(on_missed=Notes("{{ source }} {{ business_date }} {{ deadline_at.tzname() }}"))
    tell(task)
    tell(task)
    assert sorted(text for text, _ in told) == [
        f"hive.sales {today} {told[0][1]['deadline_at'].tzname()}",
        f"hive.stores {today} {told[0][1]['deadline_at'].tzname()}",
    ]
    context = {each["source"]: each for _, each in told}["hive.sales"]
    assert context["alarm"] == "missed"
    assert (context["log_count"], context["needed"], context["flows"]) == (0, 1, ["flow"])
    assert context["board_url"] == (f"https://airflow.example/plugin/readiness?source=hive.sales&date={today}")
    assert context["message"].startswith("hive.sales missed its deadline ")
    assert context["message"].endswith(f"(business date {today}, 0 of 1 logs)")
    assert {each["flows"][0] if each["flows"] else None for _, each in told} == {"flow", None}


@pytest.mark.usefixtures("missed")
def test_each_notifier_is_told_and_one_that_fails_stops_no_other(
    told: list[Any], sql: Sql, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(context: Mapping[str, Any]) -> None:
        raise RuntimeError(f"no mail for {context['source']}")

    task = operator(on_missed=[broken, Notes("one"), Notes("two"), Later("{{ source }} later")])
    tell(task)
    texts = sorted(text for text, _ in told)
    assert texts == sorted([*["one"] * 2, *["two"] * 2, "hive.sales later", "hive.stores later"])
    rows = sql("select notifier, sent_at is not null as sent, error, attempts from readiness.alarm")
    assert {(row["notifier"].split(".")[-1], row["sent"]) for row in rows} == {
        ("broken", False),
        ("Notes", True),
        ("Notes 2", True),
        ("Later", True),
    }
    assert {row["error"] for row in rows if not row["sent"]} == {
        "RuntimeError: no mail for hive.sales",
        "RuntimeError: no mail for hive.stores",
    }
    told.clear()
    tell(task)
    assert told == [], "it is not tried again at once"
    for attempt in range(2, 8):
        sql("update readiness.alarm set again_at = clock_timestamp() where sent_at is null")
        tell(task)
        (row,) = sql("select distinct attempts from readiness.alarm where sent_at is null")
        assert row["attempts"] == min(attempt, 5), "after five attempts it is given up"
    (trouble,) = (row for row in run_troubles(sql) if row["kind"] == "unsent")
    assert trouble["number"] == 2


def run_troubles(sql: Sql) -> list[Any]:
    from airflow_readiness.store.sql import queries

    return sql(queries()["troubles"])


@pytest.mark.usefixtures("missed")
def test_one_that_hangs_is_given_up_and_the_others_are_told(
    told: list[Any], sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.3)

    released = threading.Event()

    def hangs(context: Mapping[str, Any]) -> None:
        released.wait()

    try:
        tell(operator(on_missed=[hangs, Notes("told")]))
    finally:
        released.set()
    assert [text for text, _ in told] == ["told", "told"]
    (row,) = sql("select distinct error from readiness.alarm where sent_at is null")
    assert "no end within 0.3 s" in row["error"]


@pytest.mark.usefixtures("missed")
def test_late_and_missed_are_told_by_their_own_notifiers(
    told: list[Any], sql: Sql, run: Run, today: dt.date
) -> None:
    task = operator(on_missed=Notes("missed {{ source }}"), on_late=Notes("{{ message }}"))
    tell(task)
    assert sorted(text for text, _ in told) == ["missed hive.sales", "missed hive.stores"]
    told.clear()
    sql("select readiness.report_log('hive', 'sales', $1)", today)
    run(engine.tick)
    tell(task)
    tell(task)
    ((text, context),) = told
    assert text.startswith("hive.sales came late, at ")
    assert context["state"] == "late"
    assert context["ready_at"] is not None


@pytest.mark.usefixtures("missed")
def test_what_an_operator_settled_and_what_was_asked_for_alarm_nobody(
    told: list[Any], sql: Sql, run: Run, today: dt.date
) -> None:
    yesterday = today - dt.timedelta(days=1)
    run(lambda store: store.run("expect", "hive", "other", yesterday, None))
    sql("select readiness.skip('hive', 'stores', $1, 'not needed')", today)
    sql("select readiness.mark_ready('hive', 'sales', $1, 'I looked')", today)
    run(engine.tick)
    (row,) = sql("select state from readiness.processed_log where source = 'hive.other'")
    assert row["state"] == "missed"
    tell(operator(on_missed=Notes("missed"), on_late=Notes("late")))
    assert told == []


def test_a_source_at_risk_is_told(
    told: list[Any], sql: Sql, run: Run, settings: Config, today: dt.date
) -> None:
    async def prepare(store: Store) -> None:
        await engine.configure(store, settings)
        await store.connection.execute(
            "select readiness.set_log_settings('hive', 'sales', 18, 0, null, null, 1)"
        )
        await engine.tick(store)
        await store.connection.execute(
            "insert into readiness.arrival"
            " (source_database, source_table, business_date, state, ready_at, log_count, by_hand)"
            " select 'hive', 'sales', $1::date - 7 * n, 'ready',"
            " ($1::date - 7 * n + '05:12'::time) at time zone $2, 1, false from generate_series(1, 12) as n",
            today,
            settings.timezone,
        )

    run(prepare)
    task = operator(at_risk=Notes("{{ message }}"))
    tell(task)
    tell(task)
    ((text, context),) = told
    assert text.startswith(
        "hive.sales is at risk: it is usually there by 05:12 (90% by 05:12), its deadline is 18:00"
    )
    assert context["alarm"] == "at_risk"


@pytest.mark.usefixtures("missed")
def test_a_real_notifier_sends_a_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    with mailbox() as server:
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.org"}
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": server.port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        mail = SmtpNotifier(
            to="ops@example.org",
            subject="{{ source }} for {{ business_date }}",
            html_content="{{ message }}: {{ board_url }}",
        )
        task = operator(on_missed=mail)
        tell(task)
        tell(task)
        assert len(server.mails) == 2
        assert {line for mail in server.mails for line in mail.splitlines() if line.startswith("Subject:")} == {
            f"Subject: {source} for {dt.date.fromisoformat(day)}"
            for source in ("hive.sales", "hive.stores")
            for day in [server.mails[0].split(" for ")[1][:10]]
        }


@pytest.mark.usefixtures("missed")
def test_two_workers_at_once_tell_each_once(dsn: dict[str, Any]) -> None:
    async def claim() -> list[Any]:
        async with open_store(dsn) as store:
            return list(await store.fetch("claim_alarms", ["missed"], ["Mail"], 10))

    async def both() -> list[list[Any]]:
        return list(await asyncio.gather(*(claim() for _ in range(4))))

    claimed = [row["source"] for rows in asyncio.run(both()) for row in rows]
    assert sorted(claimed) == ["hive.sales", "hive.stores"]


@pytest.mark.usefixtures("missed")
def test_what_a_dead_worker_had_claimed_is_told_when_its_time_is_over(
    told: list[Any], sql: Sql, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        "import os, signal\n"
        "from airflow_readiness import readiness_dags\n"
        "def die(context):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "*_, alarms = readiness_dags(on_missed=die)\n"
        "(task,) = alarms.tasks\n"
        "task.tell({'dag': alarms})\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, timeout=60, capture_output=True)
    assert done.returncode == -9, done.stderr
    sql("update readiness.alarm set notifier = 'Notes'")
    task = operator(on_missed=Notes("told"))
    tell(task)
    assert told == []
    (left,) = sql("select extract(epoch from max(again_at) - now())::int as seconds from readiness.alarm")
    assert 500 < left["seconds"] <= 600
    sql("update readiness.alarm set again_at = clock_timestamp()")
    tell(task)
    assert [text for text, _ in told] == ["told", "told"]


@pytest.mark.usefixtures("missed")
def test_without_postgres_the_task_does_not_fail_and_says_so(
    told: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_READINESS_POSTGRES", '{"conn_type": "postgres", "host": "/nowhere"}')
    tell(operator(on_missed=Notes("told")))
    assert told == []


@pytest.mark.usefixtures("missed")
def test_the_login_of_the_engine_may_do_all_of_it(
    told: list[Any],
    sql: Sql,
    dsn: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    roles = {role: f"{dsn['database']}_{role}" for role in db.ROLES}
    for name in roles.values():
        sql(f'create role "{name}" login')
    try:
        db.grants(argparse.Namespace(**roles))

        async def grant() -> None:
            connection = await asyncpg.connect(**dsn)
            await connection.execute(capsys.readouterr().out)
            await connection.close()

        asyncio.run(grant())
        value = json.loads(os.environ["AIRFLOW_CONN_READINESS_POSTGRES"]) | {"login": roles["engine"]}
        monkeypatch.setenv("AIRFLOW_CONN_READINESS_POSTGRES", json.dumps(value))
        tell(operator(on_missed=Notes("told")))
    finally:
        for name in roles.values():
            sql(f'drop owned by "{name}"')
            sql(f'drop role "{name}"')
    assert [text for text, _ in told] == ["told", "told"]
