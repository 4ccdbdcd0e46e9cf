"""The report in a real browser: widths, colours, keyboard, and nothing asked of a network."""

import re

import pytest

from tests.runs.report.browser import CHROMIUM, Browser
from tests.runs.report.conftest import EXPERIMENT
from tests.runs.report.test_pages import notebook_page

with_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture(scope="module")
def browser():
    pytest.importorskip("websocket")
    with Browser() as browser:
        yield browser


@with_chromium
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_sideways_scroll_no_complaint_no_request(site, browser, width, dark):
    failed = site / "notebooks" / EXPERIMENT / "objective=bpr-1234.html"
    own_page = site / "experiments" / f"{EXPERIMENT}.html"
    for page in (site / "index.html", own_page, notebook_page(site), failed):
        visit = browser.visit(page, width, dark)
        assert visit.scroll <= width, visit.wide
        assert visit.inner == width
        assert visit.wide == []
        assert visit.broken == []
        assert visit.complaints == []
        assert [url for url in visit.requests if not url.startswith(("file:", "data:"))] == []


@with_chromium
def test_the_measurement_sees_a_page_that_is_too_wide(tmp_path, browser):
    page = tmp_path / "wide.html"
    page.write_text(
        "<!doctype html><meta name=viewport content='width=device-width'><p style='width:600px'>x"
    )
    assert browser.visit(page, 390).scroll > 390
    page.write_text("<!doctype html><script>undefinedFunction()</script><img src='gone.png'>")
    visit = browser.visit(page, 390)
    assert len(visit.complaints) >= 2
    assert len(visit.broken) == 1


@with_chromium
def test_keyboard_reaches_the_skip_link_first_and_then_the_sections(site, browser):
    browser.visit(site / "index.html", 1280, unfold=False)
    assert 'class="skip"' in browser.press_tab()
    assert "#verdicts" in browser.press_tab()


@with_chromium
def test_dark_pages_are_dark_and_take_the_dark_drawing(site, browser):
    for dark, colour, drawing in ((False, "light", "-light-wide"), (True, "dark", "-dark-wide")):
        browser.visit(site / "experiments" / f"{EXPERIMENT}.html", 1280, dark)
        ground = browser.run("getComputedStyle(document.body).backgroundColor")
        brightness = sum(map(int, re.findall(r"\d+", ground)[:3])) / 3
        assert (brightness < 128) == dark, colour
        assert drawing in browser.run("document.images[0].currentSrc")
