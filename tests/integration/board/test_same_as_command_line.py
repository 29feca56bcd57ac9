"""The board says and does what the command line says and does."""

from __future__ import annotations

import datetime as dt
import shlex

import pytest

from tests.integration.board.client import Client
from tests.integration.board.world import World
from tests.integration.commands import Command, parse

pytestmark = pytest.mark.usefixtures("nothing_left_behind")


async def test_it_explains_as_the_command_line_does(world: World, anna: Client, command: Command) -> None:
    await world.log("hive.sales")
    await world.step()
    await world.store.connection.execute(
        "select readiness.mark_ready('hive', 'stores', $1, 'a test', 'eve')", world.today
    )
    page = await anna.get("flows/sales_report")
    told = (await command("why", "sales_report", "--date", f"{world.today}")).out.splitlines()
    # the last line has the time
    assert page["why"][:-1] == told[:-1]
    assert len(told) > 4
    assert any("by hand: eve mark-ready hive.stores" in line for line in told)


async def test_what_is_usual_is_what_the_status_says(world: World, anna: Client, command: Command) -> None:
    await world.usually("hive.sales", "05:40", weeks=11)
    await world.usually("hive.stores", "23:10", weeks=12)
    await world.usually("hive.rates", "01:00", weeks=9)
    # what is by hand, too old, or of another weekday is none of it
    await world.store.connection.execute(
        "update readiness.processed_log set by_hand = '{}' where source = 'hive.stores' and business_date = $1",
        world.today - dt.timedelta(days=14),
    )
    for ago in (3, 91):
        await world.store.connection.execute(
            "insert into readiness.arrival (source_database, source_table, business_date, state, ready_at, "
            "deadline_at, log_count, by_hand) "
            "values ('hive', 'sales', $1, 'ready', $1::date, $1::date, 1, false)",
            world.today - dt.timedelta(days=ago),
        )
    page = await anna.get("today")
    for source in page["sources"]:
        samples, usual, slow = await world.store.connection.fetchrow(
            "select samples, (d.day + u.usual) at time zone timezone, (d.day + u.slow) at time zone timezone "
            "from readiness.deployment, (select $3::date::timestamp as day) as d, "
            "readiness.usual_arrival($1, $2, $3) as u",
            *source["name"].split("."),
            world.today,
        )
        told = source["usual"]
        assert told["samples"] == samples, source["name"]
        assert [told["p50"], told["p90"]] == [at and f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (usual, slow)]
    assert {each["name"]: each["usual"]["samples"] for each in page["sources"]} == {
        "hive.sales": 11,
        "hive.stores": 11,
        "hive.rates": 9,
        "hive.secret": 0,
    }


@pytest.mark.parametrize("action", ["mark-ready", "skip", "extend", "rerun", "publish"])
async def test_the_command_of_a_preview_is_one(world: World, anna: Client, action: str) -> None:
    what = "flow=sales_report" if action in ("rerun", "publish") else "source=hive.sales&until=23:15"
    page = await anna.get(f"preview?action={action}&{what}&date={world.today}")
    program, group, *arguments = shlex.split(page["cli"])
    assert (program, group) == ("airflow", "readiness")
    args = parse(*arguments)
    assert args.date == f"{world.today}"
    assert getattr(args, "to", "23:15") == "23:15"
