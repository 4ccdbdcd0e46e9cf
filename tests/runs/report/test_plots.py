"""A report's tables and pictures: which cells share a row, a scale or a label."""

import pytest

from recsys.runs.grid.experiment import Plot
from recsys.runs.records import load_records
from recsys.runs.report.plots import _figure, _layout, draw
from recsys.runs.report.tables import cells, results_table
from tests.runs.made_records import make_record

EXPERIMENT = "01_loss_derivation"


def test_cells_keep_apart_what_differs_beyond_the_seed(tmp_path):
    for steps in (10, 9):
        for seed in (0, 1):
            make_record(tmp_path, EXPERIMENT, {"steps": steps, "same": 1, "seed": seed}, {"a": steps + seed})
    make_record(tmp_path, EXPERIMENT, {"steps": 9, "same": 1, "seed": 2}, {"a": 1.0}, profile="reference")
    found = cells(load_records(tmp_path))
    assert [cell.settings for cell in found] == [
        {"steps": 9, "profile": "quick"},
        {"steps": 9, "profile": "reference"},
        {"steps": 10, "profile": "quick"},
    ]
    table = results_table(found, ["a", "absent"])
    assert table.headings == ["steps", "profile", "a", "absent", "seeds", "time a run"]
    assert table.rows[1] == ["9", "reference", "1.000", "–", "1", "12 s"]


def test_a_plot_s_rows_are_not_split_by_what_the_colour_says(tmp_path):
    """Each data set is judged on a number of its own: methods still share their rows; ranks do not."""
    for dataset, judged in (("intents", 300), ("reviews", 200)):
        for method, rank in (("full", 8), ("lora", 8), ("lora", 2)):
            settings = {"dataset": dataset, "judged": judged, "method": method, "rank": rank}
            make_record(tmp_path, EXPERIMENT, settings, {"quality": 0.5})
    plot = Plot(metric="quality", x="method", hue="dataset")
    picture = draw(cells(load_records(tmp_path)), plot, tmp_path / "plots", tmp_path, "made")
    assert picture is not None
    layout = _layout(cells(load_records(tmp_path)), plot)
    assert layout.frame["x"].unique().tolist() == ["full\nrank=8", "lora\nrank=2", "lora\nrank=8"]
    assert layout.frame["group"].unique().tolist() == ["intents", "reviews"]


def test_panels_share_rows_and_have_a_scale_each(tmp_path):
    """Methods in one order; one data set's large numbers don't press another's together."""
    qualities = {"purchases": {"full": 0.02, "lora": 0.03}, "intents": {"full": 0.9, "bitfit": 0.8}}
    for dataset, found in qualities.items():
        for method, quality in found.items():
            make_record(tmp_path, EXPERIMENT, {"dataset": dataset, "method": method}, {"quality": quality})
    plot = Plot(metric="quality", x="method", panel="dataset")
    found = cells(load_records(tmp_path))
    figure = _figure(_layout(found, plot), width=7.6)
    intents, purchases = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["intents", "purchases"]
    assert [label.get_text() for label in intents.get_yticklabels()] == ["bitfit", "full", "lora"]
    assert purchases.get_ylim() == intents.get_ylim()
    assert purchases.get_xlim()[1] < 0.1 < intents.get_xlim()[0]
    narrow = _figure(_layout(found, plot), width=3.9)
    assert narrow.axes[0].get_subplotspec().get_gridspec().get_geometry() == (1, 2)
    assert "quality" in draw(found, plot, tmp_path / "plots", tmp_path, "made").alt


def test_panels_share_one_legend(tmp_path):
    """Seen in the report of 06: the first panel's legend went, the others' stayed over their points."""
    for dataset in ("purchases", "intents"):
        for trials in (1, 16):
            settings = {"dataset": dataset, "method": "full", "trials": trials}
            make_record(tmp_path, EXPERIMENT, settings, {"quality": 0.5 + trials / 100})
    plot = Plot(metric="quality", x="method", hue="trials", panel="dataset")
    figure = _figure(_layout(cells(load_records(tmp_path)), plot), width=7.6)
    assert [axes.get_legend() for axes in figure.axes] == [None, None]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["1", "16"]


def test_ablations_are_named_by_what_they_change(tmp_path):
    usual = {"rate": 0.1, "start": "pretrained"}
    for settings in (usual, usual | {"rate": 0.2}, usual | {"rate": 0.3}, usual | {"start": "random"}):
        make_record(tmp_path, EXPERIMENT, settings, {"quality": 0.5})
    layout = _layout(cells(load_records(tmp_path)), Plot(metric="quality"))
    assert set(layout.frame["x"]) == {"nothing changed", "rate=0.2", "rate=0.3", "start=random"}
    assert not layout.numeric


@pytest.mark.filterwarnings("error")
def test_long_settings_leave_room_for_the_picture(tmp_path):
    for places in (
        "query+value",
        "query+key+value+dense+intermediate.dense+output.dense+attention.output.dense",
    ):
        make_record(tmp_path, EXPERIMENT, {"places": places}, {"quality": 0.5})
    layout = _layout(cells(load_records(tmp_path)), Plot(metric="quality", x="places"))
    figure = _figure(layout, width=3.9)
    figure.draw_without_rendering()  # warns where nothing is left of the axes
    assert figure.axes[0].get_position().width > 0.4


def test_no_room_for_dots_that_a_row_lacks_and_none_looks_like_another(tmp_path):
    """Seen in the report of 09: one row had seven methods, seven others one each; the first and the seventh
    method looked the same."""
    methods = list("abcdefg")
    for members, asked in {"one": ["a"], "all": methods, "two": ["a"]}.items():
        for method in asked:
            make_record(tmp_path, EXPERIMENT, {"members": members, "method": method}, {"quality": 0.5})
    plot = Plot(metric="quality", x="members", hue="method")
    (axes,) = _figure(_layout(cells(load_records(tmp_path)), plot), width=7.6).axes
    drawn = {line.get_label(): line for line in axes.get_lines()}
    assert list(drawn) == methods
    assert len({(line.get_color(), line.get_marker()) for line in drawn.values()}) == len(methods)
    centres = dict(zip([text.get_text() for text in axes.get_yticklabels()], axes.get_yticks(), strict=True))
    assert list(centres) == ["all", "one", "two"]
    assert centres["two"] - centres["one"] < 0.4 < centres["one"] - centres["all"]
    places = [line.get_ydata()[0] for line in drawn.values()]
    assert sum(places) / len(places) == pytest.approx(centres["all"]), "a row's dots lie around its label"
    assert drawn["a"].get_ydata()[1:] == pytest.approx([centres["one"], centres["two"]])
