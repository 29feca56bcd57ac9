"""Conditions with times, so many of so many, and calendars, as the board shows them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from airflow_readiness.core.condition import Condition, at_least, combine, of_source, timed
from airflow_readiness.ui.board import Board
from airflow_readiness.ui.tree import tree
from tests.integration.board.client import Client
from tests.integration.board.world import RATES, SALES, STORES, World

pytestmark = pytest.mark.usefixtures("nothing_left_behind")


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        (SALES, {"source": "hive.sales"}),
        (
            combine("any", [combine("all", [SALES, STORES]), RATES]),
            {"any": [{"source": "hive.rates"}, {"all": [{"source": "hive.sales"}, {"source": "hive.stores"}]}]},
        ),
        (
            at_least(2, [SALES, STORES, RATES], grace=600),
            {
                "at_least": 2,
                "of": [{"source": "hive.rates"}, {"source": "hive.sales"}, {"source": "hive.stores"}],
                "grace": 600,
            },
        ),
        (
            at_least(2, [SALES, STORES, RATES]),
            {
                "at_least": 2,
                "of": [{"source": "hive.rates"}, {"source": "hive.sales"}, {"source": "hive.stores"}],
                "grace": None,
            },
        ),
        (
            timed(combine("all", [SALES, STORES]), not_before=dt.time(5), deadline=dt.time(6, 30), on="skip"),
            {
                "all": [{"source": "hive.sales"}, {"source": "hive.stores"}],
                "not_before": "05:00",
                "deadline": "06:30",
                "on": "skip",
            },
        ),
        (timed(SALES, not_before=dt.time(5)), {"source": "hive.sales", "not_before": "05:00"}),
    ],
)
def test_the_tree(condition: Condition, shown: dict[str, Any]) -> None:
    assert tree(condition) == shown


async def test_a_source_that_is_not_due(world: World, anna: Client, board: Board) -> None:
    weekday = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(world.today.weekday() + 1) % 7]
    await world.store.connection.execute(
        "select readiness.set_source_options('hive', 'stores', calendar => $1, owner => 'eve')", weekday
    )
    await world.log("hive.sales")
    await world.step()
    page = await anna.get("today")
    assert {each["name"]: each["state"] for each in page["sources"]}["hive.stores"] == "not_due"
    (flow,) = [each for each in page["flows"] if each["dag_id"] == "sales_report"]
    assert flow["state"] == "ready"
    assert flow["launched_at"] is not None
    tab = await anna.get("flows/sales_report")
    assert tab["launch"]["outcomes"] == {"hive.sales": "ready", "hive.stores": "not_due"}
    source = await anna.get("sources/hive.stores")
    assert (source["settings"]["owner"], source["settings"]["calendar"]) == ("eve", [weekday])
    assert [each["what"] for each in source["history"]] == ["options"]


async def test_both_kinds_of_settings_are_one_in_force(world: World, anna: Client) -> None:
    await world.store.connection.execute(
        "select readiness.set_source_options('hive', 'stores', on_deadline => 'skip')"
    )
    await world.settings_of("hive.stores", "17:00")
    page = await anna.get("sources/hive.stores")
    assert (page["settings"]["on_deadline"], page["settings"]["deadline"]) == ("skip", "17:00")
    assert [each["what"] for each in page["history"]] == ["settings", "options"]


@pytest.mark.parametrize(("says", "state"), [("skip", "skipped"), ("fail", "failed")])
async def test_a_flow_that_is_not_launched_without_a_source(
    world: World, anna: Client, says: str, state: str
) -> None:
    await world.store.connection.execute(
        "select readiness.set_source_options('hive', 'stores', on_deadline => $1)", says
    )
    await world.log("hive.sales")
    await world.step()
    past = await world.store.connection.fetchval("select now() - interval '1 minute'")
    await world.judged("hive.stores", deadline_override=past, changed_at=None)
    await world.step()
    page = await anna.get("today")
    (flow,) = [each for each in page["flows"] if each["dag_id"] == "sales_report"]
    assert (flow["state"], flow["launched_at"], flow["run"]) == (state, None, None)
    assert flow["sentence"].endswith(", without hive.stores.")
    tab = await anna.get("flows/sales_report")
    assert (tab["state"], tab["launch"]["decision"]) == (state, state)
    assert tab["days"][-1]["state"] == "missed"
    assert any("was skipped" in line or "is made to fail" in line for line in tab["why"])


async def test_any_of_two_is_on_time_though_the_other_was_missed(world: World, anna: Client) -> None:
    condition = combine("any", [RATES, of_source("hive.rates_old")])
    await world.store.connection.execute(
        "update readiness.flow set condition = $1, expression = $2, sources = $3 where dag_id = 'rates_report'",
        condition.text,
        condition.to_json(),
        list(condition.sources),
    )
    await world.step()
    past = await world.store.connection.fetchval("select now() - interval '1 minute'")
    await world.judged("hive.rates_old", deadline_override=past, changed_at=None)
    await world.step()
    await world.log("hive.rates")
    await world.step()
    tab = await anna.get("flows/rates_report")
    assert tab["state"] == "ready"
    assert tab["days"][-1]["state"] == "on_time"
