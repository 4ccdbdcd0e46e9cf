"""A notebook's outputs are HTML of anybody's: on a page of the report they show, and do nothing."""

import re

import nbformat
import pytest

from recsys.runs.records import load_records
from recsys.runs.report.pages import write_report
from tests.runs.made_records import claims_of, executed_notebook, experiment, make_record, picture
from tests.runs.report.browser import CHROMIUM, Browser

EXPERIMENT = "01_loss_derivation"
HOSTILE = f"""
<script>document.title = 'script ran'</script>
<img src="data:image/png;base64,{picture()}" onload="document.title = 'handler ran'">
<img src="http://127.0.0.1:9/pixel.png">
<iframe srcdoc="<script>parent.document.title = 'frame ran'</script>"></iframe>
<a id="link" href="javascript:document.title = 'link ran'">a link</a>
<form action="http://127.0.0.1:9/"><input name="x"></form>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    base = tmp_path_factory.mktemp("report")
    shown = nbformat.v4.new_output("display_data", data={"text/html": HOSTILE, "text/plain": "x"})
    notebook = executed_notebook(nbformat.v4.new_code_cell("show()", outputs=[shown]))
    settings = {"objective": "bce", "dataset": "demo_store", "seed": 0}
    make_record(base / "runs", EXPERIMENT, settings, {"ndcg@10": 0.1}, notebook=notebook)
    claims = claims_of({"paraphrase": "Cities.", "reason": "No measure."})
    records = load_records(base / "runs")
    write_report(base / "site", records, [], [], claims, {EXPERIMENT: experiment()}, base / "runs")
    return next(page for page in (base / "site").rglob("*.html") if "a link" in page.read_text())


def test_every_page_states_the_policy(page):
    for one in page.parents[2].rglob("*.html"):
        policy = re.search(r'Content-Security-Policy" content="([^"]+)"', one.read_text())[1]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "http" not in policy


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_nothing_of_an_output_runs_and_its_pictures_show(page):
    with Browser() as browser:
        visit = browser.visit(page, 1280)
        browser.run("document.getElementById('link')?.click()")
        assert "ran" not in browser.run("document.title").split()
        blocked = [told for told in visit.complaints if "Content Security Policy" in told]
        assert any("pixel.png" in told for told in blocked), visit.complaints
        wide = browser.run("[...document.images].filter(i => i.naturalWidth > 100).length")
        assert wide >= 2, "the notebook's own picture and that of the output"
        assert browser.run("document.querySelectorAll('math').length") >= 1
        assert (
            browser.run("getComputedStyle(document.body).maxWidth + document.styleSheets.length") != "none0"
        )
