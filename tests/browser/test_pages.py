"""Our pages in a real browser: readable by everybody, and on their own."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser import pages

SCREENS = Path(__file__).parents[2] / "reports/screens"
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 800}
# What our margins leave of A4, at 96 pixels an inch.
PAPER = {"width": 1046, "height": 718}
NAMES = [*pages.PAGES, "nights"]
# A page is done when everything is drawn; a second is an age.
DEADLINE_MS = 60_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write all pages, and return where."""
    made = tmp_path_factory.mktemp("pages")
    for name, (render, _) in pages.PAGES.items():
        (made / f"{name}.html").write_text(render())
    (made / "of-nights").mkdir()
    text = pages.nights(made / "of-nights")
    (made / "nights.html").write_text(text)
    return made


def words_of(name):
    if name == "nights":
        return "The newest night was killed"
    return pages.PAGES[name][1]


class Opened:
    """A page in a tab of its own, and what the browser says of it."""

    def __init__(self, browser, path, **options):
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(DEADLINE_MS)
        self.tab = self.context.new_page()
        self.said, self.asked = [], []
        self.tab.on("console", lambda one: self.said.append(one.text))
        self.tab.on("pageerror", lambda one: self.said.append(str(one)))
        self.tab.on("request", lambda one: self.asked.append(one.url))
        self.address = path.as_uri()
        self.tab.goto(self.address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("name", NAMES)
def test_a_page_stands_alone_and_is_for_everybody(
    browser, folder, name, size, scheme
):
    with Opened(
        browser,
        folder / f"{name}.html",
        viewport=size,
        color_scheme=scheme,
    ) as opened:
        assert opened.said == []
        assert opened.asked == [opened.address]
        assert words_of(name) in opened.tab.inner_text("body")
        # Only what scrolls by itself may be wider than the window.
        width = opened.tab.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"]
        found = Axe().run(opened.tab)
        assert found.violations_count == 0, found.generate_report()
        SCREENS.mkdir(parents=True, exist_ok=True)
        opened.tab.screenshot(
            path=SCREENS
            / f"{name}-{size['width']}-{scheme}.png".replace(" ", "-"),
            full_page=True,
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_read_without_scripts_and_on_paper(browser, folder, name):
    with Opened(
        browser, folder / f"{name}.html", java_script_enabled=False
    ) as opened:
        heading = opened.tab.locator("h1")
        assert heading.is_visible()
        assert words_of(name) in opened.tab.locator("body").inner_text()
        opened.tab.emulate_media(media="print")
        assert heading.is_visible()
        # On paper nothing scrolls, so nothing may be cut off.
        for drawing in opened.tab.locator("figure svg").all():
            assert drawing.is_visible()
        assert len(opened.tab.pdf()) > 10_000


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_cut_off_on_paper(browser, folder, name):
    with Opened(browser, folder / f"{name}.html", viewport=PAPER) as opened:
        opened.tab.emulate_media(media="print")
        width = opened.tab.evaluate("document.documentElement.scrollWidth")
        assert width <= PAPER["width"]
        scrolling = """[...document.querySelectorAll("body *")].filter(
            one => one.scrollWidth > one.clientWidth + 1
            && getComputedStyle(one).overflowX != "visible"
        ).map(one => one.outerHTML.slice(0, 80))"""
        assert opened.tab.evaluate(scrolling) == []


def test_the_verdicts_are_one_key_away(browser, folder):
    with Opened(browser, folder / "sla.html", viewport=WIDE) as opened:
        opened.tab.keyboard.press("Tab")
        assert opened.tab.locator(":focus").inner_text() == "To the verdicts"
        opened.tab.keyboard.press("Enter")
        assert opened.tab.url.endswith("#main")
        # From there on everything that can be opened or scrolled is reached.
        reached = set()
        for _ in range(40):
            opened.tab.keyboard.press("Tab")
            reached.add(
                opened.tab.evaluate(
                    "(document.activeElement.getAttribute('aria-label') || "
                    "document.activeElement.innerText || '').slice(0, 40)"
                )
            )
        for name in ("Verdicts", "Rate over time", "Arguments"):
            assert name in reached
        assert any(one.startswith("All records") for one in reached)


def test_records_are_downloaded_from_the_page_itself(browser, folder):
    with Opened(browser, folder / "sla.html") as opened:
        with opened.tab.expect_download() as started:
            opened.tab.click("text=All records as measured")
        download = started.value
        assert download.suggested_filename == "records-1.jsonl.gz"
        path = folder / "records.gz"
        download.save_as(path)
        assert gzip.decompress(path.read_bytes()).startswith(b'{"record":')


def test_a_page_of_an_hour_and_a_thousand_nodes_is_small(folder):
    assert (folder / "large.html").stat().st_size < 3_000_000
