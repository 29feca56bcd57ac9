"""``advance()`` against the model, over random histories; ``READINESS_EXAMPLES=2000`` for a long look."""

from __future__ import annotations

import asyncio
import copy
import datetime as dt
import os
import zoneinfo
from collections.abc import Coroutine
from typing import Any, TypeVar

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from airflow_readiness.demo.servers import Postgres
from airflow_readiness.store.migrate import upgrade
from airflow_readiness.store.store import Store, open_store
from tests.integration.model import Flow, Log, Model, Options, Setting

T = TypeVar("T")
UTC = dt.timezone.utc
MICROSECOND = dt.timedelta(microseconds=1)

EXAMPLES = int(os.environ.get("READINESS_EXAMPLES", "0"))

#: Zones, each with days on which its clock changes (and one on which it does not).
DAYS = {
    "UTC": ["2026-11-20"],
    "Europe/Moscow": ["2014-10-26", "2011-03-27", "2026-02-28"],
    "America/New_York": ["2026-03-08", "2026-11-01"],
    "Asia/Seoul": ["1988-05-08", "1988-10-09", "2026-12-31"],
    # half an hour
    "Australia/Lord_Howe": ["2026-04-05", "2026-10-04"],
}
CLOCKS = [
    dt.time.fromisoformat(text)
    for text in (
        "00:00",
        "00:30",
        "01:30",
        "01:45",
        "02:00",
        "02:15",
        "02:30",
        "03:00",
        "06:00",
        "22:00",
        "23:59",
    )
]
SOURCES = ["hive.sales", "hive.stores"]
DEFAULT = Setting(dt.time(6))

sources = st.sampled_from(SOURCES)
clocks = st.sampled_from(CLOCKS)
minutes = st.one_of(st.integers(0, 90), st.integers(0, 26 * 60), st.integers(0, 40 * 24 * 60))
starts = st.sampled_from([(zone, day) for zone, days in DAYS.items() for day in days])


class Database:
    """Two sessions on one database, driven from a test that is not asynchronous."""

    def __init__(self, dsn: dict[str, Any]) -> None:
        self.loop = asyncio.new_event_loop()
        self._opened = [open_store(dsn) for _ in range(2)]
        self.store, self.slow = (self.do(each.__aenter__()) for each in self._opened)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        for each in self._opened:
            self.do(each.__aexit__(None, None, None))
        self.loop.close()


class Advance(RuleBasedStateMachine):
    """What happens to the product happens to the model; after each step they must agree."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.do = self.database.do
        self.store: Store = self.database.store
        self.slow: Store = self.database.slow
        #: rows of a transaction that is under way
        self.uncommitted: list[Log] = []
        self.in_transaction = False
        self.final: dict[tuple[str, dt.date], tuple[object, ...]] = {}
        self.numbers = iter(range(10**9))
        self.agreed = False

    @initialize(start=starts, clock=clocks, ahead=st.integers(-1, 1))
    def begin(self, start: tuple[str, str], clock: dt.time, ahead: int) -> None:
        zone, day = start
        self.do(
            self.store.connection.execute(
                "delete from readiness.processed_log; delete from readiness.log_setting; "
                "delete from readiness.flow; delete from readiness.fm_log; "
                "delete from readiness.launch; delete from readiness.launch_plan; "
                "delete from readiness.source_option; delete from readiness.rerun"
            )
        )
        self.do(self.store.run("set_deployment", zone, DEFAULT.deadline))
        self.model = Model(zoneinfo.ZoneInfo(zone), DEFAULT)
        local = dt.datetime.combine(dt.date.fromisoformat(day), clock, self.model.zone)
        self.at = local.astimezone(UTC) + dt.timedelta(days=ahead)

    def teardown(self) -> None:
        if self.in_transaction:
            self.do(self.slow.connection.execute("rollback"))

    # ------------------------------------------------------------------ what happens

    @rule(
        source=sources, deadline=clocks, read_from=st.none() | clocks, needed=st.sampled_from([1, 1, 1, 2, 3])
    )
    def set_settings(self, source: str, deadline: dt.time, read_from: dt.time | None, needed: int) -> None:
        begin = (read_from.hour, read_from.minute) if read_from else (None, None)
        self.do(
            self.store.connection.execute(
                "select readiness.set_log_settings($1, $2, $3, $4, $5, $6, $7)",
                *(*source.split("."), deadline.hour, deadline.minute, *begin, needed),
            )
        )
        self.model.settings[source] = Setting(deadline, read_from, needed)

    @rule(
        source=sources,
        calendar=st.sampled_from(["daily", "daily", "mon-fri", "sat,sun", "today"]),
        on_deadline=st.sampled_from(["run", "run", "skip", "fail"]),
        on_late=st.sampled_from(["ignore", "rerun"]),
    )
    def set_options(self, source: str, calendar: str, on_deadline: str, on_late: str) -> None:
        days: frozenset[int | dt.date] | None = {
            "daily": None,
            "mon-fri": frozenset(range(5)),
            "sat,sun": frozenset({5, 6}),
            "today": frozenset({self.today()}),
        }[calendar]
        self.do(
            self.store.connection.execute(
                "select readiness.set_source_options($1, $2, calendar => $3, on_deadline => $4, on_late => $5)",
                *source.split("."),
                self.today().isoformat() if calendar == "today" else calendar,
                on_deadline,
                on_late,
            )
        )
        self.model.options[source] = Options(days, on_deadline, on_late)

    @rule(source=sources)
    def retire(self, source: str) -> None:
        query = "select readiness.retire_source($1, $2)"
        self.do(self.store.connection.execute(query, *source.split(".")))
        self.model.retire(source)

    @rule(data=st.data(), source=sources, dated=st.booleans(), late=st.booleans())
    def log(self, data: st.DataObject, source: str, dated: bool, late: bool) -> None:
        logged_at = self.instant(data, source)
        around = {self.today() + dt.timedelta(days=ahead) for ahead in (-1, 0, 1)}
        waiting = {day for (name, day), known in self.model.known.items() if known.state == "waiting"}
        day = data.draw(st.sampled_from(sorted(around | waiting))) if dated else None
        load_id = data.draw(st.sampled_from(["one", "two", "three", ""])) or f"load {next(self.numbers)}"
        store = self.slow if late else self.store
        if late and not self.in_transaction:
            self.do(self.slow.connection.execute("begin"))
            self.in_transaction = True
        self.do(
            store.connection.execute(
                "select readiness.report_log($1, $2, $3, load_id => $4, logged_at => $5)",
                *(*source.split("."), day, load_id, logged_at),
            )
        )
        (self.uncommitted if late else self.model.logs).append(Log(source, day, logged_at, load_id))

    @rule(kept=st.sampled_from([True, True, False]))
    def end_the_long_transaction(self, kept: bool) -> None:
        if self.in_transaction:
            self.do(self.slow.connection.execute("commit" if kept else "rollback"))
            self.model.logs += self.uncommitted if kept else []
            self.uncommitted, self.in_transaction = [], False

    @rule(data=st.data(), source=sources, ahead=st.integers(-2, 3), own_deadline=st.booleans())
    def expect(self, data: st.DataObject, source: str, ahead: int, own_deadline: bool) -> None:
        day = self.today() + dt.timedelta(days=ahead)
        deadline = self.instant(data, source) if own_deadline else None
        self.do(self.store.run("expect", *source.split("."), day, deadline))
        self.model.expect(source, day, deadline)

    @rule(waits_for=st.lists(sources, min_size=1, unique=True), ahead=st.integers(-3, 2) | st.just(-35))
    def add_flow(self, waits_for: list[str], ahead: int) -> None:
        name = f"flow {next(self.numbers)}"
        first = self.today() + dt.timedelta(days=ahead)
        self.do(
            self.store.connection.execute(
                "insert into readiness.flow "
                "(dag_id, condition, expression, sources, first_date, paused, broken) "
                "values ($1, $1, '{}', $2, $3, false, false)",
                *(name, waits_for, first),
            )
        )
        self.model.flows[name] = Flow(tuple(waits_for), first)

    @rule(data=st.data())
    def remove_flow(self, data: st.DataObject) -> None:
        if self.model.flows:
            name = data.draw(st.sampled_from(sorted(self.model.flows)))
            self.do(
                self.store.connection.execute(
                    "update readiness.flow set gone_at = clock_timestamp() where dag_id = $1", name
                )
            )
            del self.model.flows[name]

    # ------------------------------------------------------------------ the clock

    @rule(data=st.data(), ahead=minutes, to_the_point=st.booleans())
    def step(self, data: st.DataObject, ahead: int, to_the_point: bool) -> None:
        """Time goes on, often to the very instant at which something is due; then everything must agree."""
        later = [instant for instant in self.boundaries() if instant >= self.at]
        if to_the_point and later:
            self.at = data.draw(st.sampled_from(later[:4]))
        else:
            self.at += dt.timedelta(minutes=ahead)
        self.settle()

    def settle(self) -> None:
        self.model.advance(self.at)
        self.advance()
        self.agree()
        assert self.advance() == [], "twice at the same instant"
        self.look_ahead()

    def advance(self) -> object:
        """What the product does at this instant; what came of it."""
        return self.do(self.store.fetch("advance", self.at))

    def agree(self) -> None:
        rows = self.do(
            self.store.connection.fetch(
                "select source, business_date, state, log_count, ready_at, missed_at, deadline_at, closed "
                "from readiness.processed_log"
            )
        )
        product = {tuple(row)[:2]: tuple(row)[2:] for row in rows}
        assert product == {pair: known.shown() for pair, known in self.model.known.items()}
        self.agreed = True
        for pair, shown in self.final.items():
            assert product[pair][:4] == shown, f"{pair} was {shown[0]}"
        self.final = {pair: shown[:4] for pair, shown in product.items() if shown[0] in ("ready", "late")}

    def look_ahead(self) -> None:
        """Nothing happens before the processor wakes by itself: not a moment earlier, by the model."""
        (row,) = self.do(self.store.fetch("next_wake", self.at))
        wake_at: dt.datetime | None = row["wake_at"]
        assert wake_at is None or wake_at > self.at, "it would be called again at once, for ever"
        asleep = copy.deepcopy(self.model)
        # a row of the future counts without a bell: the timer finds it
        asleep.logs = [log for log in asleep.logs if log.logged_at <= self.at]
        until = wake_at - MICROSECOND if wake_at else self.at + dt.timedelta(days=40)
        asleep.advance(until)
        assert asleep.known.keys() == self.model.known.keys(), "a date begins before next_wake"
        for pair, known in self.model.known.items():
            if known.state == "waiting":
                assert asleep.known[pair].state == "waiting", f"{pair} settles before next_wake"
        self.slept(asleep, until)

    def slept(self, asleep: Model, until: dt.datetime) -> None:
        """The model a moment before the processor wakes by itself."""

    @invariant()
    def nothing_is_ready_by_the_logs_of_another_date(self) -> None:
        if not self.agreed:
            return
        self.agreed = False
        rows = self.do(
            self.store.connection.fetch(
                "select source, business_date, needed, window_start, window_end, ready_at "
                "from readiness.processed_log where state in ('ready', 'late')"
            )
        )
        for row in rows:
            loads = {
                log.load_id
                for log in self.model.logs
                if log.source == row["source"]
                and (
                    log.day == row["business_date"]
                    or (log.day is None and row["window_start"] <= log.logged_at < row["window_end"])
                )
                and log.logged_at <= row["ready_at"]
            }
            assert len(loads) >= row["needed"], dict(row)

    # ------------------------------------------------------------------ instants worth a try

    def today(self) -> dt.date:
        return self.at.astimezone(self.model.zone).date()

    def boundaries(self, source: str = "") -> list[dt.datetime]:
        """Where windows begin and end and deadlines strike, and just before."""
        found = set()
        for (name, _), known in self.model.known.items():
            of_source = source in ("", name) and known.state in ("waiting", "missed")
            if of_source and known.window is not None and known.deadline_at is not None:
                for instant in (known.window.start, known.deadline_at, known.window.end):
                    found |= {instant, instant - MICROSECOND}
        return sorted(found)

    def instant(self, data: st.DataObject, source: str) -> dt.datetime:
        near = [each for each in self.boundaries(source) if abs(each - self.at) < dt.timedelta(hours=36)]
        to_the_point = data.draw(st.sampled_from([True, True, False]))
        if near and to_the_point:
            return data.draw(st.sampled_from(near))
        return self.at + dt.timedelta(minutes=data.draw(st.integers(-3 * 24 * 60, 6 * 60)))


@pytest.fixture
def database(postgres: Postgres) -> Any:
    async def create() -> None:
        admin = await asyncpg.connect(**postgres.dsn("postgres"))
        await admin.execute("drop database if exists model")
        await admin.execute("create database model")
        await admin.close()
        connection = await asyncpg.connect(**postgres.dsn("model"))
        await upgrade(connection)
        await connection.close()

    asyncio.run(create())
    opened = Database(dict(postgres.dsn("model")))
    yield opened
    opened.close()


# on a failure it looks for the shortest history, which takes its time
@pytest.mark.timeout(0 if EXAMPLES else 600)
def test_advance_says_what_the_model_says(database: Database) -> None:
    Advance.database = database
    run_state_machine_as_test(
        Advance,
        settings=settings(
            max_examples=EXAMPLES or 200,
            stateful_step_count=30,
            # the same every time, unless somebody looks for more
            derandomize=not EXAMPLES,
            database=None,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
