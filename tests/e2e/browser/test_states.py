"""Every state in both themes, by canned answers: what is seen, heard, reached by keyboard, and fits."""

from __future__ import annotations

import datetime as dt
import re
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("playwright", reason="pip install playwright, for the tests in a browser")

from playwright.async_api import expect

from tests.e2e.browser.browser import Theme
from tests.e2e.browser.canned import MARKUP, Night
from tests.e2e.browser.conftest import Windows
from tests.e2e.browser.site import SOON, Site, can

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

WORDS = {
    "currency_report": "at risk",
    "orders_by_country": "waiting",
    "sessions_daily": "unknown",
    "newsletter": "not configured",
    "ledger_close": "not due",
    "sales_by_region": "launched",
    "contact_dedup": "launchedmissed",
    "invoice_run": "launchedlate",
    "quarter_close": "failed",
}
#: The smallest contrast of a text to what is behind it.
CONTRAST = """() => {
  const paint = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    paint.clearRect(0, 0, 1, 1); paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return rgba(getComputedStyle(document.body).backgroundColor);
  };
  let least = [99, ''];
  for (const node of document.querySelectorAll('[data-testid] *')) {
    if (![...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim())) continue;
    const [a, b] = [light(rgba(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < least[0]) least = [ratio, node.textContent];
  }
  return least;
}"""


#: How many parts of the page are not within so many pixels.
BEYOND = """(width) => [...document.querySelectorAll('h1, section, dl, li')]
  .filter((node) => node.getBoundingClientRect().right > width).length"""


async def test_each_state_has_a_word_an_icon_and_contrast(site: Site, windows: Windows) -> None:
    page = await windows.open()
    await can(page, Night(dt.datetime.now(dt.timezone.utc)))
    await page.goto(site.tonight)
    for dag_id, word in WORDS.items():
        badges = page.get_by_test_id(f"flow {dag_id}").locator("[data-state]")
        await expect(badges.first).to_be_visible(timeout=SOON)
        assert "".join(await badges.all_inner_texts()) == word
        assert await badges.locator("svg").count() == await badges.count()
    await expect(page.get_by_test_id("flow newsletter")).to_contain_text(MARKUP)
    assert await page.title() == "Readiness"
    themes: tuple[Theme, ...] = ("light", "dark")
    for theme in themes:
        await page.emulate_media(color_scheme=theme)
        await expect(page.locator("html")).to_have_class(re.compile(theme))
        least, text = await page.evaluate(CONTRAST)
        assert least >= 4.5, (theme, text)


async def test_what_is_filtered_is_in_the_address(site: Site, windows: Windows) -> None:
    page = await windows.open()
    await can(page, Night(dt.datetime.now(dt.timezone.utc)))
    await page.goto(f"{site.tonight}?state=waiting")
    rows = page.locator('[data-testid^="flow "]')
    await expect(rows).to_have_count(1)
    chip = page.get_by_role("button", name="failed")
    # by keyboard, and the focus is seen
    await page.get_by_role("searchbox").focus()
    await page.keyboard.press("Tab")
    await expect(chip).to_be_focused()
    await page.keyboard.press("Space")
    await expect(rows).to_have_count(2)
    await expect(chip).to_have_attribute("aria-pressed", "true")
    assert await chip.evaluate("(node) => getComputedStyle(node).outlineStyle") == "solid"
    # letter by letter: Airflow must not build the page anew meanwhile
    await page.get_by_role("searchbox").press_sequentially("contacts")
    await expect(rows).to_have_count(1)
    asked = parse_qs(urlsplit(page.url).query)
    assert (asked["state"], asked["q"]) == (["waiting,failed"], ["contacts"])
    await page.reload()
    await expect(rows).to_have_count(1)


async def test_it_fits_a_telephone_and_opens_a_date(site: Site, windows: Windows) -> None:
    page = await windows.open(width=360)
    night = Night(dt.datetime.now(dt.timezone.utc))
    await can(page, night)
    for address in (site.tonight, site.source("hive.fx_rates")):
        await page.goto(address)
        await expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=SOON)
        await expect(page.get_by_text("deadline").first).to_be_visible()
        assert await page.evaluate(BEYOND, 360) == 0
    await page.set_viewport_size({"width": 1280, "height": 900})
    await page.goto(site.flow("board_calm"))
    day = night.date - dt.timedelta(days=3)
    await page.locator("li button[data-state]").nth(26).click()
    await expect(page).to_have_url(f"{site.flow('board_calm')}?date={day}")


async def test_a_hidden_page_asks_nothing(site: Site, windows: Windows) -> None:
    page = await windows.open()
    await page.clock.install()
    asked = await can(page, Night(dt.datetime.now(dt.timezone.utc)))
    await page.goto(site.tonight)
    await expect(page.get_by_test_id("health")).to_be_visible(timeout=SOON)
    for hidden in ("true", "false"):
        await page.evaluate(
            f"Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        before = len(asked)
        await page.clock.run_for(31_000)
        # seen again, it looks at once and goes on
        assert (len(asked) == before) if hidden == "true" else (len(asked) > before)
