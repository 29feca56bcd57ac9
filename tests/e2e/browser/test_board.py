"""The board on a real Airflow, in a real browser."""

from __future__ import annotations

import asyncio
import datetime as dt
import re

import pytest

pytest.importorskip("playwright", reason="pip install playwright, for the tests in a browser")

from playwright.async_api import Page, expect

from airflow_readiness.demo.processes import wait_until
from tests.e2e.browser.canned import MARKUP, Night
from tests.e2e.browser.conftest import Windows
from tests.e2e.browser.site import SOON, Site, can

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

#: The name of a run where the flow's own page links it.
RUN = re.compile("^asset_triggered__.* \\(")


async def test_a_launch_is_seen_without_a_reload(site: Site, windows: Windows) -> None:
    page = await windows.open("vera")
    await page.goto(site.url)
    # the entry of Airflow's navigation, under a path of Airflow's own
    await page.get_by_role("link", name="Readiness", exact=True).click()
    await expect(page).to_have_url(site.tonight)
    # what has started goes to the end of the list
    await page.get_by_role("searchbox").fill("board_live")
    row = page.get_by_test_id("flow board_live")
    await expect(row.locator("[data-state]")).to_have_text("not configured", timeout=SOON)
    await page.evaluate("window.notReloaded = true")
    await site.log("board.live", site.world.today)
    await expect(row.get_by_text("launched", exact=True)).to_be_visible(timeout=3 * SOON)
    await expect(page.get_by_test_id("announced")).to_contain_text("board_live is launched")
    await expect(row.get_by_role("link", name=re.compile("Run of board_live"))).to_be_visible(timeout=SOON)
    # by the router, in the same document
    await row.get_by_role("link", name="board_live", exact=True).click()
    await expect(page).to_have_url(site.flow("board_live"))
    await expect(page.get_by_test_id("answer")).to_contain_text("all was ready", timeout=SOON)
    assert await page.evaluate("window.notReloaded")


async def test_an_action_is_for_who_may(site: Site, windows: Windows) -> None:
    day = site.world.today
    for user, buttons in (("vera", 0), ("ulf", 0), ("ada", 3)):
        page = await windows.open(user)
        await page.goto(site.source("board.acted"))
        await expect(page.get_by_role("heading", name="Who waits for it")).to_be_visible(timeout=SOON)
        await expect(
            page.get_by_role("group", name=re.compile("Actions on")).get_by_role("button")
        ).to_have_count(buttons)

    button = page.get_by_role("button", name="Mark ready…")
    await button.click()
    dialog = page.get_by_role("dialog", name="Mark ready: board.acted")
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(button).to_be_focused()
    await button.press("Enter")
    await expect(dialog.get_by_test_id("preview")).to_contain_text("board_acted")
    await expect(dialog.get_by_test_id("preview")).to_contain_text("airflow readiness mark-ready board.acted")
    confirm = dialog.get_by_role("button", name="Mark ready", exact=True)
    await expect(confirm).to_be_disabled()
    # the field has the focus, and Airflow's shortcuts do not hear what is typed
    await page.keyboard.type(MARKUP)
    await confirm.click()
    await expect(dialog).to_have_count(0, timeout=SOON)
    await expect(page.locator("h1 + [data-state]")).to_have_text("ready", timeout=SOON)
    (row,) = await site.sql("select done_by, reason from readiness.audit where source = 'board.acted'")
    assert tuple(row) == ("ada", MARKUP)

    for user, buttons in (("vera", 0), ("ulf", 1)):
        page = await windows.open(user)
        await page.goto(site.flow("board_acted"))
        # who did it and why, as text
        await expect(page.get_by_test_id("answer")).to_contain_text("ada mark-ready board.acted", timeout=SOON)
        await expect(page.get_by_test_id("answer")).to_contain_text(MARKUP)
        assert "broken into" not in await page.title()
        again = page.get_by_role("button", name="Rerun…")
        await expect(again).to_have_count(buttons, timeout=3 * SOON)
    await again.click()
    await page.get_by_label("Reason").fill("the store file was wrong")
    await page.get_by_role("dialog").get_by_role("button", name="Rerun", exact=True).click()
    await expect(page.get_by_role("dialog")).to_have_count(0, timeout=SOON)
    (row,) = await site.sql(
        "select done_by from readiness.audit where action = 'rerun' and dag_id = 'board_acted'"
    )
    assert row["done_by"] == "ulf"
    assert day.isoformat() in await page.get_by_label("Business date", exact=True).last.input_value()


async def do(page: Page, action: str, reason: str, **fields: str) -> None:
    """An action, by its button and its dialog."""
    await page.get_by_role("button", name=f"{action}…").click(timeout=SOON)
    dialog = page.get_by_role("dialog")
    for label, value in (fields | {"Reason": reason}).items():
        await dialog.get_by_label(label.replace("_", " ")).fill(value)
    await expect(dialog.get_by_test_id("preview")).to_contain_text("airflow readiness", timeout=SOON)
    await dialog.get_by_role("button", name=action, exact=True).click()
    await expect(dialog).to_have_count(0, timeout=SOON)


async def test_a_deadline_is_extended_and_a_source_skipped(site: Site, windows: Windows) -> None:
    await site.sql("select readiness.set_log_settings('board', 'moved', 20, 0, null, null, 1)")
    page = await windows.open("ada")
    await page.goto(site.source("board.moved"))
    await do(page, "Extend deadline", "a slow disk", New_deadline="23:15")
    known = (
        "select deadline_at at time zone timezone as deadline_at "
        "from readiness.processed_log, readiness.deployment where source = 'board.moved' and business_date = $1"
    )
    (row,) = await site.sql(known, site.world.today)
    assert (row["deadline_at"].hour, row["deadline_at"].minute) == (23, 15)
    await do(page, "Skip", "it does not come today")
    await expect(page.locator("h1 + [data-state]")).to_have_text("skipped", timeout=SOON)
    await page.goto(site.flow("board_moved"))
    await expect(page.get_by_role("link", name=RUN)).to_be_visible(timeout=2 * SOON)
    done = await site.sql("select action from readiness.audit where source = 'board.moved' order by audit_id")
    assert [row["action"] for row in done] == ["extend", "skip"]


async def test_a_flow_that_missed_its_launch_is_published_again(site: Site, windows: Windows) -> None:
    day = site.world.today
    await site.log("board.missed", day)
    missed = "select from readiness.launch_run where dag_id = 'board_paused' and run_id is null"
    await asyncio.to_thread(
        wait_until, lambda: site.world.stack.sql(missed), 60, "a launch without the flow that is paused"
    )
    # as if the registrar had just tried it: it leaves the flow alone for a minute
    await site.sql("update readiness.launch_run set repaired_at = now() where dag_id = 'board_paused'")
    await asyncio.to_thread(site.world.stack.rest.pause, "board_paused", False)
    able = "select from readiness.flow where dag_id = 'board_paused' and not paused"
    await asyncio.to_thread(wait_until, lambda: site.world.stack.sql(able), 60, "the flow, unpaused")
    page = await windows.open("ulf")
    await page.goto(site.flow("board_paused"))
    await do(page, "Publish again", "it was paused")
    await expect(page.get_by_role("link", name=RUN)).to_be_visible(timeout=SOON)
    assert await asyncio.to_thread(site.world.runs, "board_paused") == [day.isoformat()]
    (row,) = await site.sql("select done_by, action from readiness.audit where dag_id = 'board_paused'")
    assert tuple(row) == ("ulf", "publish")


async def test_postgres_stops_and_starts_under_the_open_page(site: Site, windows: Windows) -> None:
    page = await windows.open()
    await page.goto(f"{site.tonight}?q=board_calm")
    row = page.get_by_test_id("flow board_calm")
    await expect(row).to_be_visible(timeout=SOON)
    banner = page.get_by_role("alert").filter(has_text="The log database cannot be read")
    await expect(banner).to_have_count(0)
    site.postgres.cut()
    try:
        await expect(banner).to_be_visible(timeout=2 * SOON)
        await expect(row).to_be_visible()
    finally:
        site.postgres.passing()
    await expect(banner).to_have_count(0, timeout=2 * SOON)


async def test_airflow_survives_a_broken_bundle(site: Site, windows: Windows) -> None:
    page = await windows.open()
    await page.route(
        re.compile(r"readiness/static/health\.js"), lambda route: route.fulfill(body="this is no (")
    )
    await page.goto(site.tonight)
    await expect(page.get_by_role("alert")).to_contain_text(
        "The readiness board could not be loaded", timeout=SOON
    )
    await page.unroute_all()
    await page.route(re.compile(r"readiness/static/board\.js"), lambda route: route.fulfill(status=500))
    await page.goto(site.flow("board_calm"))
    await expect(page.get_by_role("link", name="Overview")).to_be_visible(timeout=SOON)
    await page.get_by_test_id("nav-home-link").click()
    await expect(page).to_have_url(re.compile("/below/?$"))
    await page.close()
    page = await windows.open()
    # an answer that nobody foresaw: our own panel says so, the DAG's page stays
    night = Night(dt.datetime.now(dt.timezone.utc))
    vars(night)["page_of_flow"] = lambda dag_id: {"dag_id": dag_id, "consumer": True, "days": 7}
    await can(page, night)
    await page.goto(site.flow("board_calm"))
    await expect(page.get_by_role("alert")).to_contain_text("stumbled", timeout=SOON)
    await expect(page.get_by_role("link", name="Overview")).to_be_visible()


async def test_a_dag_that_is_no_flow(site: Site, windows: Windows) -> None:
    page = await windows.open("vera")
    await page.goto(site.flow("readiness_processor"))
    await expect(page.get_by_test_id("no consumer")).to_contain_text("waits for no source", timeout=SOON)
    await page.goto(site.source("no.such"))
    await expect(page.get_by_text("there is no such source, or you may not see it")).to_be_visible(timeout=SOON)
