"""Quality against cost: only means over the same data sets stand beside each other."""

import itertools

import pandas as pd
import pytest

from recsys.plots import tuning
from recsys.plots.style import panels

QUALITY = {"full": 0.8, "lora": 0.8, "frozen": 0.4}
SECONDS = {"full": 0.6, "lora": 0.5, "frozen": 0.3}


def runs() -> pd.DataFrame:
    """Three methods on two data sets, and a third where LoRA alone shines beside full tuning."""
    rows = [
        {"dataset": d, "method": m, "seed": s, "quality": QUALITY[m], "seconds": SECONDS[m] + 0.1 * s}
        for d, m, s in itertools.product(("a", "b"), QUALITY, range(3))
    ]
    shines = {"full": 0.1, "lora": 0.9}
    rows += [
        {"dataset": "c", "method": m, "seed": 0, "quality": q, "seconds": 9.0} for m, q in shines.items()
    ]
    return pd.DataFrame(rows)


def test_a_data_set_that_some_methods_lack_does_not_count():
    points = tuning.pareto_points(tuning.relative_quality(runs(), "quality"), "seconds")
    assert points["relative"].to_dict() == pytest.approx({"frozen": 0.5, "lora": 1.0, "full": 1.0})
    assert points["seconds"].to_dict() == pytest.approx(SECONDS), "the least of a data set's seeds"
    assert points.index.tolist() == ["frozen", "lora", "full"]
    assert points.attrs["datasets"] == ["a", "b"]


def test_a_method_that_lacks_a_data_set_is_left_out():
    frame = runs()
    frame = frame[~((frame["dataset"] == "b") & (frame["method"] == "frozen"))]
    points = tuning.pareto_points(tuning.relative_quality(frame, "quality"), "seconds")
    assert points.index.tolist() == ["frozen", "lora", "full"]  # on "a", which has most methods
    assert points.attrs["datasets"] == ["a"]


def test_costs_below_one_are_drawn_where_they_are():
    axes = tuning.plot_pareto(tuning.relative_quality(runs(), "quality"), "seconds", "seconds of a step")
    drawn = axes.collections[0].get_offsets()[:, 0]
    assert sorted(drawn) == pytest.approx(sorted(SECONDS.values()))
    assert "mean over a, b" in (axes.get_title(loc="left"), axes.get_title())  # where the style puts it


def test_nothing_that_learns_stands_at_one():
    frame = runs().assign(parameters=lambda f: f["method"].map({"full": 100, "lora": 10, "frozen": 0}))
    axes = tuning.plot_pareto(tuning.relative_quality(frame, "quality"), "parameters", "parameters")
    assert sorted(axes.collections[0].get_offsets()[:, 0]) == [1, 10, 100]


def test_of_equal_cost_the_better_one_is_on_the_front():
    rows = [("full", 1.0, 5.0), ("worse", 0.7, 2.0), ("better", 0.9, 2.0)]
    frame = pd.DataFrame(rows, columns=["method", "quality", "seconds"]).assign(dataset="a", seed=0)
    axes = tuning.plot_pareto(tuning.relative_quality(frame, "quality"), "seconds", "seconds")
    front = axes.lines[0]
    assert list(zip(front.get_xdata(), front.get_ydata(), strict=True)) == [(2.0, 0.9), (5.0, 1.0)]


def title_of(axes) -> str:
    """It stands where the style puts it."""
    return axes.get_title() + axes.get_title(loc="left")


def test_low_rank_is_drawn_to_scale():
    axes = tuning.plot_low_rank(64, 16)
    whole, columns, rows = axes.patches
    assert columns.get_width() == rows.get_height() == whole.get_width() * 16 / 64
    assert "learns 50.0%" in title_of(axes)


def test_each_matrix_shows_its_own_rank():
    ranks = pd.DataFrame({"layer": [0, 0, 1, 1], "matrix": ["query", "value"] * 2, "rank": [3, 0, 8, 5]})
    axes = tuning.plot_ranks(ranks)
    assert [text.get_text() for text in axes.texts] == ["3", "0", "8", "5"]
    assert title_of(axes) == "16 ranks in all"


def test_shares_of_singular_values_add_up_to_one():
    change = pd.DataFrame(
        {"layer": 0, "matrix": "query", "index": [1, 2, 3], "value": [2.0, 1.0, 1.0], "norm": 9.0}
    )
    by_matrix = pd.DataFrame({"layer": [0], "matrix": ["query"], "moved": [0.27]})
    left, right = tuning.plot_singular_values(change, by_matrix)
    assert left.lines[0].get_ydata() == pytest.approx([4 / 6, 5 / 6, 1])
    assert right.lines[0].get_ydata() == pytest.approx([0.27])


def test_spread_has_a_line_for_each_method_and_matrix():
    frame = pd.DataFrame(
        itertools.product(("full", "lora"), ("query", "value"), (0, 1), (10.0, 30.0)),
        columns=["method", "matrix", "layer", "effective_rank"],
    ).assign(moved=0.01)
    left, right = tuning.plot_spread(frame)
    means = [line.get_ydata() for line in left.lines if len(line.get_ydata())]
    assert len(means) == 4
    assert all(list(mean) == [20.0, 20.0] for mean in means)
    assert (left.get_legend(), right.get_legend() is None) == (None, False)
    assert len(tuning.plot_spread(frame.iloc[:0])) == 2


def test_every_line_of_the_policy_stands_in_the_legend():
    (axes,) = panels(1)
    tuning.mark_lines(axes, {"a": 0.98, "b": 0.99})
    assert [line.get_xdata()[0] for line in axes.lines] == [0.98, 0.99]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["line of a", "line of b"]
