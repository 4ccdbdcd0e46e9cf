"""The ladder opens the report and the README: a picture where there are records, one sentence where not."""

import re

import pandas as pd
import pytest

from recsys.benchmarks.ladder.steps import stacks
from recsys.plots.fusion import plot_step_gains
from recsys.runs.report.ladder import NO_RECORD, README_PICTURE, STEP_EXPERIMENTS, write_readme
from recsys.runs.report.pages import write_report
from recsys.runs.report.step_gains import EXPERIMENT, INSTEAD, step_gains
from tests.conftest import ROOT
from tests.runs.made_records import claims_of, experiment
from tests.runs.report.test_step_gains import plant, plant_simple

README = "# Title\n\n<!-- ladder -->\nold\n<!-- /ladder -->\n\nmore\n"


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ladder")
    return [*plant(folder, stacks()), *plant_simple(folder)]


def site_of(folder, reference):
    own = experiment(EXPERIMENT, plot={"metric": "ndcg@10", "x": "steps"})
    other = experiment("09_model_fusion")
    experiments = {EXPERIMENT: own, other.name: other}
    return write_report(folder, [], reference, [], claims_of(), experiments).parent


def test_the_picture_opens_the_index_and_links_every_steps_record(records, tmp_path):
    site = site_of(tmp_path, records)
    index = (site / "index.html").read_text(encoding="utf-8")
    assert index.index('id="ladder"') < index.index('id="verdicts"')
    part = index[index.index('id="ladder"') : index.index('id="verdicts"')]
    links = re.findall(r'(?:href|src|srcset)="([^"#]+)"', part)
    assert all((site / link).is_file() for link in links)
    assert sum(link.startswith("records/reference/") for link in links) == len(STEP_EXPERIMENTS) + 1
    assert "experiments/09_model_fusion.html" in links
    variants = [(theme, width) for theme in ("light", "dark") for width in ("wide", "narrow")]
    assert {f"plots/ladder-{theme}-{width}.svg" for theme, width in variants} <= set(links)
    assert "+10.0 core seconds" in part


def test_without_records_the_index_says_so_once(tmp_path):
    index = (site_of(tmp_path, []) / "index.html").read_text(encoding="utf-8")
    assert index.count("No two stacks are recorded yet") == 1
    assert "ladder-light" not in index


@pytest.mark.filterwarnings("error::FutureWarning")  # a user's terminal would show it
def test_the_readme_gets_a_picture_or_a_sentence(records, tmp_path):
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    assert write_readme(records, tmp_path) == ["README.md", README_PICTURE]
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert f"]({README_PICTURE})" in text
    assert "old" not in text
    assert (tmp_path / README_PICTURE).read_text(encoding="utf-8").startswith("<svg")
    first = (tmp_path / README_PICTURE).read_bytes()
    write_readme(records, tmp_path)
    assert (tmp_path / README_PICTURE).read_bytes() == first, "the same records, the same picture"
    write_readme([], tmp_path)
    assert NO_RECORD in (tmp_path / "README.md").read_text(encoding="utf-8")
    assert not (tmp_path / README_PICTURE).exists()


def test_the_committed_readme_has_the_place(tmp_path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    write_readme([], tmp_path)
    assert NO_RECORD in (tmp_path / "README.md").read_text(encoding="utf-8")
    picture = (ROOT / README_PICTURE).is_file()
    assert picture == (f"]({README_PICTURE})" in text)


def test_a_panel_has_a_mark_for_each_way_of_each_step(records):
    gains = step_gains(records)
    figure = plot_step_gains(gains)
    (axes,) = figure.axes
    drawn = {container.get_label(): len(container[0].get_xdata()) for container in axes.containers}
    once = gains.drop_duplicates(["step", "below", "above"])
    assert len(once) < len(gains), "the first step added is that step alone"
    assert drawn == once.groupby("way").size().to_dict()
    assert [label.get_text() for label in axes.get_yticklabels()][-2:] == ["all", INSTEAD[0]]
    assert plot_step_gains(gains.iloc[:0]) is None


def test_a_shop_without_pictures_does_not_change_the_order_of_steps(records):
    """Online Retail stood first and has no pictures, so that `multimodal` came below `all`."""
    gains = step_gains(records)
    without = gains[gains["step"] != "multimodal"].assign(dataset="online_retail")
    first = plot_step_gains(pd.concat([without, gains])).axes[0]
    shown = [label.get_text() for label in first.get_yticklabels()]
    assert shown == [step.replace("_", " ") for step in dict.fromkeys(gains["step"])]
    assert shown[-2:] == ["all", INSTEAD[0]]
