"""The report as a reader meets it: a folder opened from disk, on any width, without a network."""

import json
import re

import nbformat
import pytest

from recsys.metrics.significance import Interval
from recsys.runs.durations import duration
from recsys.runs.records import load_records
from recsys.runs.report.notebooks import OfflineExporter, mathml, notebook_body
from recsys.runs.report.numbers import mean_and_half_width, number, p_value, setting
from recsys.runs.report.pages import write_report
from recsys.runs.report.site import ReportError
from recsys.runs.report.verdicts import agreement
from tests.runs.made_records import experiment, make_record
from tests.runs.report.conftest import CLAIMS, EXPERIMENT, build
from tests.runs.report.elements import Elements


def pages(site):
    return sorted(site.rglob("*.html"))


def test_nothing_is_loaded_from_elsewhere(site):
    for page in pages(site):
        for tag, attributes in Elements(page).tags:
            assert tag not in ("script", "iframe", "object", "embed"), page
            if tag == "a":
                continue
            for name in ("src", "href", "srcset", "poster", "data", "xlink:href"):
                assert not re.match(r"(https?:)?//", attributes.get(name) or ""), (page, tag)
    for style in site.rglob("*.css"):
        assert not re.search(r"@import|url\(", style.read_text()), style
    for drawing in site.rglob("*.svg"):
        assert not re.search(r'href="(?!#)|<!DOCTYPE|<script', drawing.read_text()), drawing


def test_every_link_leads_somewhere(site):
    for page in pages(site):
        elements = Elements(page)
        ids = {attributes["id"] for _, attributes in elements.tags if "id" in attributes}
        for tag, attributes in elements.tags:
            for target in filter(None, (attributes.get(n) for n in ("href", "src", "srcset"))):
                if re.match(r"(https?|data):", target):
                    continue
                path, _, fragment = target.partition("#")
                assert not path or (page.parent / path).is_file(), (page.name, tag, target)
                if not path:
                    assert fragment in ids, (page.name, target)


def test_verdict_table_comes_first_and_says_both_verdicts(site):
    elements = Elements(site / "index.html")
    text = elements.text[elements.text.index("What holds Two articles") :]  # behind the navigation
    assert text.index("BCE beats a random order.") < text.index("Experiments")
    headings = [attributes.get("id") for tag, attributes in elements.tags if tag == "h2"]
    assert headings[0] == "verdicts-title"
    table = text[text.index("BCE beats a random order.") : text.index("How to read a verdict")]
    first, second = table.split("The printed loss does too.")
    assert "supported" in first
    assert "agrees" in first
    assert "bce against random, 200 users" in first
    assert "refuted" in second
    assert "1 claim not yet tested" in text
    assert "No measure is named." in text


def test_text_is_escaped(site):
    page = (site / "index.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more." in page
    assert "ValueError: &lt;scores&gt; of the wrong shape" in page


def test_experiment_shows_table_records_and_plot_with_its_numbers(site, base):
    elements = Elements(site / "experiments" / f"{EXPERIMENT}.html")
    bce = [
        record
        for record in load_records(base / "reference", EXPERIMENT)
        if record.parameters["objective"] == "bce"
    ]
    mean = sum(record.metrics["ndcg@10"] for record in bce) / 3
    pictures = [attributes for tag, attributes in elements.tags if tag == "img"]
    assert len(pictures) == 2  # two origins
    assert f"objective=bce: {number(mean)} (" in pictures[0]["alt"]
    assert f"{number(mean)} ±" in elements.text
    links = {attributes.get("href") for tag, attributes in elements.tags if tag == "a"}
    for record in bce:
        copy = f"records/reference/{EXPERIMENT}/{record.run}.json"
        assert f"../{copy}" in links
        assert json.loads((site / copy).read_text()) == record.raw
    assert sum(link.startswith("../notebooks/") for link in links if link) == 3
    assert "recsys run 03_empty --profile quick" in Elements(site / "experiments/03_empty.html").text


def test_the_index_has_one_entry_an_experiment_and_a_claim_leads_to_how_it_was_decided(site):
    index = Elements(site / "index.html")
    links = [attributes.get("href") for tag, attributes in index.tags if tag == "a"]
    for name in (EXPERIMENT, "02_other", "03_empty"):
        assert f"experiments/{name}.html" in links
    assert f"experiments/{EXPERIMENT}.html#claim-claim-0" in links
    assert "recsys run 03_empty --profile quick" in index.text
    assert not any("records/" in link for link in links if link)
    assert "9 records, all current" in index.text
    page = Elements(site / "experiments" / f"{EXPERIMENT}.html").text
    assert "Gain. In words." in page
    assert "6 runs." in page


def test_the_index_grows_by_nothing_with_further_records(site, base, tmp_path):
    """600 records more: the index is the same but for their count, the experiment's page lists them."""
    for seed in range(600):
        make_record(tmp_path, "02_other", {"items": 10, "seed": seed}, {"peak_mb": seed}, profile="reference")
    many = load_records(tmp_path)
    other = experiment("02_other", metrics=["peak_mb"], primary_metric="peak_mb", plot=None)
    few = write_report(tmp_path / "few", [], many[:1], [], CLAIMS, {"02_other": other})
    before = len(few.read_text())
    index = write_report(tmp_path / "all", [], many, [], CLAIMS, {"02_other": other})
    assert len(index.read_text()) < before + 100
    page = (tmp_path / "all" / "experiments" / "02_other.html").read_text()
    assert page.count("records/reference/02_other/") == 600


def test_what_changed_since_a_record_was_made_is_told_beside_it_and_in_the_verdict(base, tmp_path):
    """The records of bce and random are older than their code; those of the printed loss are current."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("runs", "reference"):
        (copy / name).symlink_to(base / name)
    old = [r for r in load_records(base / "reference", EXPERIMENT) if r.parameters["objective"] != "printed"]
    changed = {"reference": {record.name: "changed: losses.<click>.bce" for record in old}}
    index = Elements(build(copy, changed=changed))
    assert "Committed reference: 9 records, 3 current" in index.text
    assert "Your runs: 9 records, all current" in index.text
    first, second = index.text.split("The printed loss does too.", 1)
    assert "all 6 records are older than their code" in first
    assert "3 of 6 records are older than their code" in second
    page = (copy / "site" / "experiments" / f"{EXPERIMENT}.html").read_text()
    assert page.count("Since then: changed: losses.&lt;click&gt;.bce") == 6


def test_light_and_dark_drawings_differ_in_colours_only(site):
    light = (site / "plots" / f"{EXPERIMENT}-yours-light-wide.svg").read_text()
    dark = (site / "plots" / f"{EXPERIMENT}-yours-dark-wide.svg").read_text()
    assert light != dark
    assert re.sub("#[0-9a-f]{6}", "", light) == re.sub("#[0-9a-f]{6}", "", dark)
    assert "#23282d" not in dark


def notebook_page(site):
    return next(p for p in pages(site) if p.name.startswith("objective=bce-"))


def test_notebook_page_has_formulas_outputs_and_links(site):
    page = notebook_page(site).read_text(encoding="utf-8")
    assert page.count("<math") == 5  # two in prose, two in a table, one printed by code
    assert "mathjax" not in page.lower()
    assert r'<code class="tex">\nosuchcommand{x}</code>' in page
    assert "点击率" in page
    assert "100%" in page  # the text beside a widget
    assert "../../records/reference/01_loss_derivation/objective=bce" in page
    assert '<span class="in-repository" title="../recsys/losses/softmax.py">the module</span>' in page
    assert 'href="../../experiments/01_loss_derivation.html">the next one' in page
    assert 'href="https://arxiv.org/abs/1702.01992"' in page
    assert 'alt="Figure drawn by the code above"' in page


def test_a_page_has_no_progress_bars(tmp_path):
    bar = "lora:  33%|███▎  | 1/3 [00:02<00:04,  2.1s/it]\rlora: 100%|█| 3/3 [00:03<00:00, 1.2s/it]\n"
    widget = {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "  0%| | 0/60 [00:00<?, ?step/s]"}
    outputs = [
        nbformat.v4.new_output("stream", name="stderr", text=bar),
        nbformat.v4.new_output("display_data", data=widget),
        nbformat.v4.new_output("stream", name="stdout", text="50% of the users | 3/4 of the items\n"),
    ]
    cell = nbformat.v4.new_code_cell("train()", outputs=outputs)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "a.ipynb")
    _, body = notebook_body(tmp_path / "a.ipynb", OfflineExporter(lambda url: None))
    assert "50% of the users" in body
    assert "it]" not in body
    assert "step/s" not in body


def test_failed_notebook_is_shown_up_to_its_error(site):
    page = (site / "notebooks" / EXPERIMENT / "objective=bpr-1234.html").read_text()
    assert "ansi-red-fg" in page
    assert "ValueError: &lt;scores&gt; of the wrong shape" in page


def test_a_second_report_removes_what_is_gone_and_touches_nothing_else(base, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("runs", "reference"):
        (copy / name).symlink_to(base / name)
    build(copy)
    site = copy / "site"
    (site / "mine.txt").write_text("kept")
    assert notebook_page(site).is_file()
    build(copy, failures=[], own=[])
    assert list(site.glob("notebooks/**/*.html")) == []
    assert list(site.glob("records/yours/**/*.json")) == []
    assert (site / "mine.txt").read_text() == "kept"
    text = Elements(site / "index.html").text
    assert "did not test it" in text
    assert "Failed or not run" not in text


def test_somebody_elses_site_is_not_overwritten(base, tmp_path):
    (tmp_path / "index.html").write_text("precious")
    with pytest.raises(ReportError, match="no report wrote"):
        write_report(tmp_path, [], [], [], CLAIMS, {})
    assert (tmp_path / "index.html").read_text() == "precious"


def test_without_any_record(tmp_path):
    index = write_report(tmp_path / "new", [], [], [], CLAIMS, {EXPERIMENT: experiment()})
    text = Elements(index).text
    assert "No claim is decided yet" in text
    assert "nothing to trace" in text


@pytest.mark.parametrize(
    ("reference", "own", "said"),
    [
        ("supported", "supported", ("agrees", "good")),
        ("refuted", "supported", ("disagrees: supported", "bad")),
        ("supported", "undecided", ("leaves it open", "open")),
        ("undecided", "refuted", ("says refuted", "open")),
        ("supported", "not yet tested", ("did not test it", "none")),
        ("not yet tested", "refuted", ("refuted, with no committed record beside it", "open")),
    ],
)
def test_agreement(reference, own, said):
    assert agreement(reference, own) == said


def test_numbers():
    shown = [number(v) for v in (0.0055, -0.12345, 0.0, 1234.5, 12, 3e-7, float("nan"), None)]
    assert shown == ["0.005500", "−0.1235", "0", "1,234", "12", "3.00e−7", "–", "–"]
    assert mean_and_half_width(Interval(0.0055, 0.0050, 0.0060, 3)) == "0.005500 ± 0.000500"
    assert mean_and_half_width(Interval(0.5, 0.5 - 1e-9, 0.5 + 1e-9, 3)) == "0.5000 ± <0.0001"
    assert mean_and_half_width(Interval(0.5, float("nan"), float("nan"), 1)) == "0.5000"
    assert [p_value(v).replace("\N{NO-BREAK SPACE}", " ") for v in (0.0004, 0.0213, 1.0)] == [
        "p < .001",
        "p = .021",
        "p = 1.000",
    ]
    assert [duration(v) for v in (3.25, 45, 600, 9000)] == ["3.2 s", "45 s", "10 min 00 s", "2 h 30 min"]
    assert [setting(v) for v in (1e-5, True, 8, 10_000, [1, 2], "bce")] == [
        "1e-05",
        "True",
        "8",
        "10,000",
        "1, 2",
        "bce",
    ]


@pytest.mark.parametrize("tex", [r"\frac{", r"\begin{align} a", r"\notacommand", "<b>"])
def test_a_formula_that_fails_is_shown_as_source_or_converted_never_raw(tex):
    shown = mathml(tex, block=True)
    assert shown.startswith(('<code class="tex">', '<span class="formula"><math'))
    assert "<b>" not in shown
