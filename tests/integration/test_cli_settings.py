"""``airflow readiness settings …``, as a release runs it."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from airflow.cli.cli_config import ActionCommand

from airflow_readiness.cli import settings as commands
from airflow_readiness.demo.servers import free_port
from airflow_readiness.store.store import Store

Ran: TypeAlias = tuple[int, str, str]
Run: TypeAlias = Callable[..., Coroutine[Any, Any, Ran]]
Do: TypeAlias = Callable[..., Awaitable[None]]

FILE = """\
scope: sales
sources:
  hive.sales:
    deadline: "06:30"
    read_from: "20:00"
    log_count: 2
    calendar: mon-fri
    on_deadline: skip
    owner: sales@example.com
  hive.stores:
    deadline: "07:00"
"""


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    for command in commands.command().subcommands:
        assert isinstance(command, ActionCommand)
        made = subparsers.add_parser(command.name)
        for arg in command.args:
            arg.add_to_parser(made)
        made.set_defaults(func=command.func)
    return parser.parse_args(arguments)


@pytest.fixture
def connection(dsn: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The Airflow connection to this database, as it is, or with something else."""

    def connect(**changed: Any) -> None:
        fields = {"host": dsn["host"], "login": dsn["user"], "schema": dsn["database"], **changed}
        value = json.dumps({"conn_type": "postgres", **fields})
        monkeypatch.setenv("AIRFLOW_CONN_READINESS_POSTGRES", value)

    connect()
    return connect


@pytest.fixture
def run(connection: None, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in a thread, where it has a loop of its own: exit code, output, errors."""

    def work(args: argparse.Namespace) -> int:
        with pytest.raises(SystemExit) as ended:
            args.func(args)
        assert isinstance(ended.value.code, int)
        return ended.value.code

    async def command(*arguments: str) -> Ran:
        args = parse(*arguments)
        capsys.readouterr()
        code = await asyncio.to_thread(work, args)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], str]:
    """A file of settings with this content."""

    def write(content: str) -> str:
        path = tmp_path / "settings.yaml"
        path.write_text(content)
        return str(path)

    return write


Write: TypeAlias = Callable[[str], str]


async def versions(store: Store) -> tuple[int, int]:
    """How many versions of settings, and of options, there are."""
    counts = [
        await store.connection.fetchval(f"select count(*) from readiness.{table}")
        for table in ("log_setting", "source_option")
    ]
    return counts[0], counts[1]


async def in_force(run: Run) -> dict[str, Any]:
    code, out, _ = await run("show", "--json")
    assert code == 0
    return {each["source"]: each for each in json.loads(out)["sources"]}


async def test_a_file_is_applied_and_again_changes_nothing(store: Store, run: Run, file: Write) -> None:
    path = file(FILE)
    code, out, _ = await run("apply", path)
    assert (code, out.splitlines()[-1]) == (0, "2 sources: applied")
    assert await versions(store) == (2, 1), "what is the default needs no options"
    found = await in_force(run)
    sales = found["hive.sales"]
    assert (sales["deadline"], sales["read_from"], sales["log_count"]) == ("06:30", "20:00", "2")
    assert (sales["calendar"], sales["on_deadline"], sales["on_late"]) == (
        "mon,tue,wed,thu,fri",
        "skip",
        "ignore",
    )
    assert (sales["owner"], sales["scope"]) == ("sales@example.com", "sales")
    assert found["hive.stores"]["deadline"] == "07:00"
    assert (await run("apply", path))[:2] == (0, "nothing differs from what is in force\n")
    assert await versions(store) == (2, 1)


async def test_a_dry_run_prints_what_would_change_and_changes_nothing(
    store: Store, run: Run, file: Write
) -> None:
    path = file(FILE)
    code, out, _ = await run("apply", path, "--dry-run")
    assert code == 0
    assert "hive.sales\twould be added\tdeadline\t\t06:30\n" in out
    assert out.endswith("2 sources: nothing was changed\n")
    assert await versions(store) == (0, 0)
    await run("apply", path)
    changed = FILE.replace("07:00", "07:15").replace("    owner: sales@example.com\n", "")
    code, out, _ = await run("diff", file(changed))
    assert code == 1
    assert out.splitlines()[1:] == [
        "hive.sales\twould change\towner\tsales@example.com\t",
        "hive.stores\twould change\tdeadline\t07:00\t07:15",
        "2 sources: nothing was changed",
    ]
    assert await versions(store) == (2, 1)
    assert (await run("diff", file(FILE)))[0] == 0
    code, out, _ = await run("apply", file(changed), "--json")
    answer = json.loads(out)
    assert (answer["applied"], answer["exit_code"]) == (True, 0)
    assert answer["changes"][1] == {
        "source": "hive.stores",
        "kind": "change",
        "fields": {"deadline": {"from": "07:00", "to": "07:15"}},
    }
    assert await versions(store) == (3, 2), "each of what differs, and nothing else"
    assert (await in_force(run))["hive.sales"]["owner"] == ""


async def test_a_source_that_is_removed_is_retired_if_this_file_has_set_it(
    store: Store, run: Run, file: Write, set_settings: Do
) -> None:
    await set_settings("hive.by_hand", "05:00")
    await run("apply", file("scope: other\nsources:\n  hive.other: {deadline: '05:00'}"))
    await run("apply", file(FILE))
    code, out, _ = await run("apply", file("scope: sales\nsources:\n  hive.stores: {deadline: '07:00'}"))
    assert (code, out.splitlines()[-1]) == (0, "1 source: applied")
    assert "hive.sales\tretired\tdeadline\t06:30\t" in out
    assert set(await in_force(run)) == {"hive.by_hand", "hive.other", "hive.stores"}
    assert (await run("apply", file("scope: sales\nsources: {}")))[0] == 0
    assert set(await in_force(run)) == {"hive.by_hand", "hive.other"}
    _, out, _ = await run("history", "hive.sales", "--json")
    assert all(version["valid_to"] for version in json.loads(out)["versions"]), "kept, and not in force"


async def test_what_was_set_by_sql_becomes_the_files(
    store: Store, run: Run, file: Write, set_settings: Do
) -> None:
    await set_settings("hive.stores", "07:00")
    await set_settings("hive.sales", "05:00")
    code, out, _ = await run("apply", file(FILE))
    assert code == 0
    assert "hive.stores\tis this file's from now on\t\t\t" in out
    assert {each["scope"] for each in (await in_force(run)).values()} == {"sales"}
    assert (await run("diff", file(FILE)))[0] == 0


async def test_a_source_of_another_file_is_refused_and_nothing_is_applied(
    store: Store, run: Run, file: Write
) -> None:
    await run("apply", file("scope: other\nsources:\n  hive.stores: {deadline: '05:00'}"))
    for command in ("apply", "diff"):
        code, _, err = await run(command, file(FILE))
        assert code == 1
        assert "hive.stores is set by scope 'other', not by 'sales'" in err
    assert await versions(store) == (1, 0)


async def test_it_is_all_or_nothing(store: Store, run: Run, file: Write) -> None:
    # the second source is refused in the middle of the transaction
    await store.connection.execute(
        "create function refuse() returns trigger language plpgsql as "
        "$$begin raise 'no'; end$$; create trigger refuse before insert on readiness.log_setting "
        "for each row when (new.source_table = 'stores') execute function refuse()"
    )
    code, _, err = await run("apply", file(FILE))
    assert code == 2
    assert "Postgres cannot be used: no" in err
    assert await versions(store) == (0, 0)


async def test_two_files_at_once_wait_for_each_other(
    store: Store, run: Run, file: Write, eventually: Callable[..., Awaitable[Any]]
) -> None:
    path = file(FILE)
    # pg_stat_activity stays the same within a transaction
    waiting = "select count(*) from pg_locks where not granted and locktype = 'advisory'"
    async with store.connection.transaction():
        await store.run("serialise_settings")
        applying = asyncio.create_task(run("apply", path))
        await eventually(lambda: store.connection.fetchval(waiting))
        assert not applying.done()
    assert (await applying)[0] == 0


async def test_mistakes_in_a_file_are_told_with_their_lines(store: Store, run: Run, file: Write) -> None:
    path = file(FILE.replace("06:30", "26:30").replace("calendar", "calender"))
    for command in ("apply", "diff"):
        code, out, err = await run(command, path)
        assert (code, out) == (2, "")
        first, second = err.splitlines()
        assert first.startswith(f"{path}:4: deadline of hive.sales: '26:30' is not a time of day: write it")
        assert second == f"{path}:7: unknown key 'calender' in hive.sales: did you mean 'calendar'?"
    code, out, _ = await run("apply", path, "--json")
    assert (code, json.loads(out)["exit_code"]) == (2, 2)


async def test_one_source_is_changed_by_hand_and_the_rest_of_it_stays(store: Store, run: Run) -> None:
    code, _, err = await run("set", "hive.sales", "--log-count", "2")
    assert (code, "hive.sales has no settings yet: give it a --deadline" in err) == (1, True)
    assert (await run("set", "hive.sales", "--deadline", "06:30", "--owner", "me"))[0] == 0
    assert (await run("set", "hive.sales", "--log-count", "2", "--read-from", "20:00"))[0] == 0
    code, out, _ = await run("set", "hive.sales", "--calendar", "fri-mon", "--read-from", "")
    assert (code, out.splitlines()[1:]) == (
        0,
        [
            "hive.sales\tchanged\tread_from\t20:00\t",
            "hive.sales\tchanged\tcalendar\tdaily\tmon,fri,sat,sun",
            "1 source: applied",
        ],
    )
    found = (await in_force(run))["hive.sales"]
    assert (found["deadline"], found["log_count"], found["owner"], found["scope"]) == ("06:30", "2", "me", None)
    code, _, err = await run("set", "hive.sales", "--deadline", "06:30")
    assert (code, "nothing of hive.sales would change" in err) == (1, True)
    # options alone, of a source that has the defaults
    assert (await run("set", "hive.rates", "--on-late", "rerun"))[0] == 0
    assert not (await in_force(run))["hive.rates"]["configured"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sales", "--deadline", "06:00"), "'sales' is not a source name"),
        (("a.b", "--deadline", "6"), "'6' is not a time of day"),
        (("a.b", "--read-from", "25:00"), "'25:00' is not a time of day"),
        (("a.b", "--deadline", "06:00", "--log-count", "0"), "--log-count 0 is not a number of log rows"),
        (("a.b", "--calendar", "never"), "'never' is no day of a calendar"),
    ],
)
async def test_what_cannot_be_set_is_told(
    store: Store, run: Run, arguments: tuple[str, ...], message: str
) -> None:
    code, _, err = await run("set", *arguments)
    assert code == 2
    assert message in err
    assert await versions(store) == (0, 0)


async def test_what_was_in_force_is_told_version_by_version(run: Run) -> None:
    for arguments in (("--deadline", "06:30"), ("--owner", "me"), ("--deadline", "07:30")):
        await run("set", "hive.sales", *arguments)
    code, out, _ = await run("history", "hive.sales")
    lines = [line.split("\t") for line in out.splitlines()]
    assert code == 0
    assert [line[0] for line in lines] == ["what", "settings", "options", "settings"]
    assert lines[1][5] == "deadline 06:30, log_count 1"
    assert lines[2][5] == "on_late ignore, on_deadline run, calendar daily, owner me"
    assert [line[2] == "in force" for line in lines[1:]] == [False, True, True]
    for command in ("history", "show"):
        code, _, err = await run(command, "hive.nothing")
        assert (code, "hive.nothing" in err) == (1, True)


async def test_what_is_in_force_of_one_source_or_of_none(run: Run) -> None:
    assert (await run("show"))[1] == "no settings are in force: every source has the deployment's defaults\n"
    await run("set", "hive.sales", "--deadline", "06:30")
    await run("set", "hive.rates", "--deadline", "06:45")
    code, out, _ = await run("show", "hive.rates")
    assert code == 0
    assert [line.split("\t")[:2] for line in out.splitlines()[1:]] == [["hive.rates", "06:45"]]


async def test_the_rights_of_a_releaser_are_enough_and_others_are_told(
    store: Store,
    dsn: dict[str, Any],
    run: Run,
    file: Write,
    connection: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    from airflow_readiness.cli import db

    names = {role: f"{dsn['database']}_{role}" for role in db.ROLES}
    for name in names.values():
        await store.connection.execute(f'create role "{name}" login')
    db.grants(argparse.Namespace(**names))
    await store.connection.execute(capsys.readouterr().out)
    try:
        connection(login=names["releaser"])
        assert (await run("apply", file(FILE)))[0] == 0
        assert (await run("apply", file("scope: sales\nsources: {}")))[0] == 0
        assert (await run("history", "hive.sales"))[0] == 0
        connection(login=names["reader"])
        assert (await run("show"))[0] == 0
        code, _, err = await run("set", "hive.sales", "--deadline", "05:00")
        assert (code, "permission denied" in err) == (2, True)
    finally:
        for name in names.values():
            await store.connection.execute(f'drop owned by "{name}"; drop role "{name}"')


async def test_postgres_that_is_away_is_told_in_one_sentence(
    run: Run, connection: Callable[..., None], file: Write
) -> None:
    connection(host="127.0.0.1", port=free_port())
    for arguments in (("show",), ("apply", file(FILE)), ("set", "a.b", "--owner", "x")):
        code, out, err = await run(*arguments)
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 1
        assert err.startswith("Postgres cannot be used: ")
