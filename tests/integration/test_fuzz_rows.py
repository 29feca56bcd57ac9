"""Ten thousand rows, settings and expectations of every kind: each has its documented effect or error."""

from __future__ import annotations

import datetime as dt
import json
import random
import re
from typing import Any, TypeAlias

import pytest

from airflow_readiness import engine
from airflow_readiness.core.names import PART
from airflow_readiness.store.store import Store

COUNT = 10_000
DAY = dt.date(2026, 11, 20)
NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.timezone.utc)

Row: TypeAlias = dict[str, Any]

#: Calls a statement for each row, each in a transaction within the transaction; what it said.
TRY = """
create function pg_temp.try_each(statement text, rows jsonb)
returns table (n bigint, refused text, message text, hint text) language plpgsql as $$
declare
    row_ jsonb;
begin
    n := 0;
    for row_ in select value from jsonb_array_elements(rows) loop
        n := n + 1; refused := null; message := null; hint := null;
        begin
            execute statement using row_;
        exception when others then
            get stacked diagnostics
                refused = returned_sqlstate, message = message_text, hint = pg_exception_hint;
        end;
        return next;
    end loop;
end $$;
"""
BAD_VALUE = "22023"
NOT_NULL, CHECK = "23502", "23514"

NAMES = [
    *("hive", "sales", "a", "_", "$", "9", "a-b", "A$", "x" * 255),
    *(
        "",
        " ",
        "hive.sales",
        "sales\n",
        "\n",
        "x" * 256,
        "x" * 5000,
        "é",
        "таблица",
        "-a",
        "a b",
        "'",
        '"',
        "\\",
    ),
    *("a;drop table readiness.fm_log", "𝔞", "\u200b", "%", "٣", None),
]
DATES = [
    *("2026-11-20", "2026-11-21", "infinity", "-infinity", "4713-01-01 BC", "5874897-12-31", "0001-01-01"),
    *("9999-12-31", "0002-01-01", "9998-12-31", "9999-01-01", "2024-02-29", None),
]
INSTANTS = [
    *("2026-11-20 03:00+00", "2026-11-20 03:00+14", "infinity", "-infinity", "4714-11-24 00:00 BC"),
    *("294276-12-31 23:59:59+00", "0001-12-31 23:59:59+00", "0002-01-01 00:00+00", "9999-01-01 00:00+00"),
    *("9998-12-31 23:59:59.999999+00", "2026-11-20 03:00", "2500-01-01 00:00+00", None),
]
NUMBERS = [0, 1, 2, 3, 5, 23, 24, 25, 59, 60, 61, -1, 2**31 - 1, -(2**31), 100, None]


def in_range(instant: str | None) -> bool:
    """Whether an instant of the list above is one for everybody."""
    if instant is None:
        return True
    year = re.match(r"(\d{4})-(?!.*BC)", instant)
    return bool(year) and 2 <= int(year.group(1)) <= 9998  # type: ignore[union-attr]


def text(dice: random.Random) -> str:
    """A few characters of any kind but the one that no Postgres takes."""
    return "".join(
        chr(dice.choice([*range(1, 128), 0xE9, 0x416, 0x2028, 0x1F600])) for _ in range(dice.randrange(8))
    )


def name(dice: random.Random) -> str | None:
    return dice.choice(NAMES[:9]) if dice.random() < 0.6 else dice.choice([*NAMES, text(dice)])


def is_name(value: str | None) -> bool:
    return value is not None and PART.fullmatch(value) is not None


async def try_each(store: Store, statement: str, rows: list[Row]) -> list[Any]:
    """What each row met with, in order."""
    answers: list[Any] = []
    for start in range(0, len(rows), 2000):
        chunk = rows[start : start + 2000]
        answers += await store.connection.fetch(
            "select * from pg_temp.try_each($1, $2)", statement, chunk, timeout=60
        )
    return answers


@pytest.fixture
async def fuzzed(store: Store) -> Store:
    await store.connection.execute(TRY)
    return store


async def it_works_on(store: Store) -> None:
    """A step at noon raises nothing, its rows are read, and a good row makes its source ready."""
    await store.connection.execute("select readiness.set_log_settings('good', 'one', 23, 59, null, null, 1)")
    await store.connection.execute("select readiness.report_log('good', 'one', $1, logged_at => $2)", DAY, NOON)
    result = await engine.tick(store, everything=True, now=NOON)
    states = {(known.source, known.business_date): known.state.value for known in result.changed}
    assert states["good.one", DAY] == "ready"
    await store.fetch("snapshot_states")


def log_rows(dice: random.Random) -> list[Row]:
    return [
        {
            "database": name(dice),
            "table": name(dice),
            "business_date": dice.choice(DATES),
            "row_count": dice.choice([0, 1, -1, 2**63 - 1, -(2**63), None]),
            "load_id": dice.choice(["", "one", "x" * 10_000, text(dice), None, None]),
            "logged_at": dice.choice(INSTANTS),
        }
        for _ in range(COUNT)
    ]


def fits(row: Row) -> bool:
    """Whether a log row is documented to be accepted by the function."""
    return (
        is_name(row["database"])
        and is_name(row["table"])
        and (row["row_count"] is None or row["row_count"] >= 0)
        and row["load_id"] != ""
        and in_range(row["logged_at"])
    )


async def test_of_the_rows_that_are_reported_each_is_kept_or_refused_with_its_value(fuzzed: Store) -> None:
    rows = log_rows(random.Random(1))
    answers = await try_each(
        fuzzed,
        "select readiness.report_log($1 ->> 'database', $1 ->> 'table', ($1 ->> 'business_date')::date,"
        " ($1 ->> 'row_count')::bigint, $1 ->> 'load_id', ($1 ->> 'logged_at')::timestamptz)",
        rows,
    )
    for row, answer in zip(rows, answers, strict=True):
        assert answer["refused"] == (None if fits(row) else BAD_VALUE), (row, answer)
        if answer["refused"]:
            assert re.search("not a name|negative|empty|out of range", answer["message"]), answer
            assert answer["hint"] and len(answer["message"]) < 700
    assert await fuzzed.connection.fetchval("select count(*) from readiness.source_log") == sum(map(fits, rows))
    await it_works_on(fuzzed)


async def test_of_the_rows_that_are_inserted_each_is_kept_or_refused_by_a_rule(fuzzed: Store) -> None:
    rows = log_rows(random.Random(2))
    answers = await try_each(
        fuzzed,
        "insert into readiness.fm_log values"
        " ($1 ->> 'database', $1 ->> 'table', ($1 ->> 'business_date')::date,"
        " ($1 ->> 'logged_at')::timestamptz, $1 ->> 'load_id', ($1 ->> 'row_count')::bigint)",
        rows,
    )
    kept = 0
    for row, answer in zip(rows, answers, strict=True):
        nulls = [row[column] for column in ("database", "table", "logged_at", "load_id")].count(None)
        expected = NOT_NULL if nulls else None if fits(row) else CHECK
        assert answer["refused"] == expected, (row, answer)
        if expected == CHECK:
            assert re.search('constraint ".* must (not )?be ', answer["message"])
        kept += expected is None
    assert await fuzzed.connection.fetchval("select count(*) from readiness.source_log") == kept > 100
    await it_works_on(fuzzed)


async def test_of_the_settings_each_is_in_force_or_refused_with_its_value(fuzzed: Store) -> None:
    dice = random.Random(3)
    fields = ("deadline_hour", "deadline_minute", "read_from_hour", "read_from_minute", "log_count")
    likely = [range(24), range(60), [*range(24), None], [*range(60), None], range(1, 9)]
    rows: list[Row] = [
        {
            "database": dice.choice(NAMES[:9]) if dice.random() < 0.9 else name(dice),
            "table": dice.choice(NAMES[:9]) if dice.random() < 0.9 else name(dice),
            **{
                field: dice.choice(NUMBERS) if dice.random() < 0.15 else dice.choice(list(usual))
                for field, usual in zip(fields, likely, strict=True)
            },
        }
        for _ in range(COUNT)
    ]
    answers = await try_each(
        fuzzed,
        "select readiness.set_log_settings($1 ->> 'database', $1 ->> 'table',"
        + ", ".join(f"($1 ->> '{field}')::int" for field in fields)
        + ")",
        rows,
    )
    in_force: dict[tuple[str, str], tuple[Any, ...]] = {}
    for row, answer in zip(rows, answers, strict=True):
        settings = documented(row)
        assert answer["refused"] == (None if settings else BAD_VALUE), (row, answer)
        if settings:
            in_force[row["database"], row["table"]] = settings
            continue
        wrong = re.search(r"(deadline|read_from|log_count|database|table)", answer["message"])
        assert wrong and answer["hint"], answer
        numbers = re.search(r"(hour|minute|log_count) (-?\d+|null)", answer["message"])
        assert not numbers or numbers.group(2) in {json.dumps(row[field]) for field in fields}
    assert in_force and len(in_force) < COUNT
    kept = await fuzzed.connection.fetch("select * from readiness.log_setting where valid_to is null")
    assert {
        (each["source_database"], each["source_table"]): (
            each["deadline"],
            each["read_from"],
            each["log_count"],
        )
        for each in kept
    } == in_force
    await it_works_on(fuzzed)


def documented(row: Row) -> tuple[Any, ...] | None:
    """What settings mean; none if they are to be refused."""
    deadline, read_from = row["deadline_hour"], row["read_from_hour"]
    minutes = [row["deadline_minute"] or 0, row["read_from_minute"] or 0]
    if not (is_name(row["database"]) and is_name(row["table"]) and (row["log_count"] or 0) >= 1):
        return None
    if deadline is None or not 0 <= deadline <= 23 or not all(0 <= minute <= 59 for minute in minutes):
        return None
    if read_from is None:
        has_none = row["read_from_minute"] is None
        return (dt.time(deadline, minutes[0]), None, row["log_count"]) if has_none else None
    if not 0 <= read_from <= 23:
        return None
    return dt.time(deadline, minutes[0]), dt.time(read_from, minutes[1]), row["log_count"]


async def test_of_the_dates_that_are_expected_none_stops_the_others(fuzzed: Store) -> None:
    dice = random.Random(4)
    rows: list[Row] = [
        {
            "database": dice.choice(NAMES[:9]),
            "table": name(dice),
            "business_date": dice.choice(DATES),
            "deadline_at": dice.choice(INSTANTS),
        }
        for _ in range(COUNT)
    ]
    answers = await try_each(
        fuzzed,
        "select readiness.expect($1 ->> 'database', $1 ->> 'table', ($1 ->> 'business_date')::date,"
        " ($1 ->> 'deadline_at')::timestamptz)",
        rows,
    )
    for row, answer in zip(rows, answers, strict=True):
        date = row["business_date"]
        named = is_name(row["database"]) and is_name(row["table"])
        good = named and date is not None and in_range(date) and in_range(row["deadline_at"])
        assert answer["refused"] == (None if good else BAD_VALUE), (row, answer)
        assert good or re.search("not a name|out of range", answer["message"])
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"):
        await fuzzed.run("set_deployment", zone, dt.time(0))
        await engine.tick(fuzzed, everything=True, now=NOON - dt.timedelta(days=1))
    await it_works_on(fuzzed)


TEXTS = [
    *("2026-11-20", "20261120", "2026-11-20 00:00:00", "2026-11-20T23:59:59Z", "2026-11-20\n"),
    *(
        "today",
        "now",
        "epoch",
        "infinity",
        "-infinity",
        "2026-11-31",
        "2026-13-01",
        "20.11.2026",
        "2026-11-20 BC",
    ),
    *(
        "0000-00-00",
        "9999-99-99",
        "99999999",
        "2026-11-20x",
        "２０２６-11-20",
        "2026-11-20\n",
        "1" * 5000,
        "",
        None,
    ),
]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Seoul"])
@pytest.mark.parametrize("kind", ["timestamp", "timestamptz"])
async def test_of_the_rows_of_a_teams_own_table_none_stops_the_others(
    fuzzed: Store, zone: str, kind: str
) -> None:
    """Its columns are text and know no rules of ours; an ISO date counts for its date, the rest for none."""
    await fuzzed.run("set_deployment", zone, dt.time(23))
    await fuzzed.connection.execute(
        f"create schema team; create table team.loads "
        f"(db text, tab text, at {kind}, run text, day text, stamp {kind}, n numeric);"
        "create index on team.loads (db, tab)"
    )
    register = "select readiness.register_fm_table('team.loads', 'db', 'tab', 'at', 'run', $1, 'n')"
    dice = random.Random(f"{zone} {kind}")
    # without what is out of range in one time zone only
    edges = ("0002-01-01 00:00+00", "9998-12-31 23:59:59.999999+00", "2026-11-20 03:00+14")
    instants = [each for each in INSTANTS if each not in edges]
    rows: list[Row] = [
        {
            "db": "hive" if dice.random() < 0.7 else name(dice),
            "tab": "sales" if dice.random() < 0.7 else name(dice),
            "at": "2026-11-20 05:00" if dice.random() < 0.5 else dice.choice(instants),
            "run": str(number),
            "day": dice.choice([*TEXTS, text(dice)]),
            "stamp": dice.choice(instants),
            "n": dice.choice(["1", "NaN", "-1", "1e300", "0.5", "infinity", None]),
        }
        for number in range(COUNT // 4)
    ]
    insert = "insert into team.loads select * from jsonb_populate_record(null::team.loads, $1)"
    assert not [answer for answer in await try_each(fuzzed, insert, rows) if answer["refused"]]
    await fuzzed.connection.execute(
        "select readiness.set_log_settings('hive', 'sales', 23, 0, null, null, 1000000)"
    )
    three = {"2026-11-20 03:00", "2026-11-20 03:00+00"}
    # three o'clock of Greenwich is the evening before in New York
    today: set[str] = set() if (zone, kind) == ("America/New_York", "timestamptz") else three
    dates: dict[str, set[Any]] = {"day": set(TEXTS[:5]), "stamp": today}
    for column, good in dates.items():
        await fuzzed.connection.execute(register, column)
        await it_works_on(fuzzed)
        counted = await fuzzed.connection.fetchval(
            "select log_count from readiness.processed_log where source = 'hive.sales' and business_date = $1",
            DAY,
        )
        expected = [
            row["run"]
            for row in rows
            if (row["db"], row["tab"]) == ("hive", "sales")
            and (
                (row[column] in good and row["at"] in {"2026-11-20 05:00", *three})
                or (row[column] is None and row["at"] in {"2026-11-20 05:00", *today})
            )
        ]
        assert counted == len(expected) > 10
        await fuzzed.connection.execute("delete from readiness.processed_log; delete from readiness.fm_log")
