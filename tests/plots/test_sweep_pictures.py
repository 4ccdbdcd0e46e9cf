"""Pictures of searches: what they draw is what the tables hold."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from recsys.plots import sweeps


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def trials(repeats: int = 4, count: int = 12) -> pd.DataFrame:
    generator = np.random.default_rng(1)
    parts = []
    for method in ("random", "tpe"):
        for repeat in range(repeats):
            part = pd.DataFrame({"number": range(count), "rate": 10 ** generator.uniform(-4, -1, count)})
            part["width"] = generator.choice([32, 64], count)
            part["kind"] = generator.choice(np.array(["a", None], dtype=object), count)
            part["q"] = generator.random(count)
            part["spent"] = np.cumsum(generator.uniform(0.5, 2, count))
            part["core_seconds"] = part["spent"].diff().fillna(part["spent"].iloc[0])
            parts.append(part.assign(method=method, repeat=repeat, state="done"))
    return pd.concat(parts, ignore_index=True)


def test_best_so_far_never_falls_and_ends_at_the_best():
    frame = trials()
    frame.loc[3, ["state", "q"]] = ["failed", np.nan]
    lines = sweeps.best_so_far(frame, "q")
    for (method, repeat), part in lines.groupby(["method", "repeat"]):
        assert part["best"].is_monotonic_increasing
        own = frame[(frame["method"] == method) & (frame["repeat"] == repeat)]
        assert part["best"].iloc[-1] == own["q"].max()
    median = lines.groupby(["method", "spent"])["best"].median()
    assert median.groupby("method").apply(lambda m: m.is_monotonic_increasing).all()
    falling = sweeps.best_so_far(frame, "q", "min")
    assert falling.groupby(["method", "repeat"])["best"].apply(lambda b: b.is_monotonic_decreasing).all()
    assert sweeps.best_so_far(frame.assign(state="failed"), "q").empty


def test_progress_has_a_line_a_method_and_a_band_over_repeats():
    axes = sweeps.plot_best_so_far(trials(), "q", ceiling=1.0)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "random",
        "tpe",
        "best of the table",
    ]
    assert len(axes.collections) == 2
    single = sweeps.plot_best_so_far(trials(repeats=1), "q")
    assert len(single.collections) == 0
    assert single.get_title("left") + single.get_title() == "one repeat"


def test_parallel_coordinates_draw_every_trial_and_the_best_last():
    frame = trials(1)
    axes = sweeps.plot_parallel_coordinates(frame, ["rate", "width", "kind"], "q", logs=["rate"])
    segments = axes.collections[0].get_segments()
    assert len(segments) == len(frame)
    heights = np.stack([line[:, 1] for line in segments])
    assert heights.min() >= 0
    assert heights.max() <= 1
    best = frame.loc[frame["q"].idxmax()]
    drawn = next(line for line in axes.lines if line.get_label() == "best").get_ydata()
    assert drawn[1] == (0 if best["width"] == 32 else 1)
    words = {text.get_text() for text in axes.texts}
    assert {"a", "none", "32", "64"} <= words
    large = sweeps.plot_parallel_coordinates(frame.assign(width=frame["width"] * 16), ["width"], "q")
    assert {text.get_text() for text in large.texts} == {"512", "1024"}  # once 1.02e+03


def test_parallel_coordinates_of_the_defaults_alone():
    """Found by the grid: a library's defaults name no setting, and the notebook ended with KeyError."""
    frame = trials(1)[["state", "q"]].head(1)
    axes = sweeps.plot_parallel_coordinates(frame, ["rate", "width"], "q", logs=["rate"])
    assert "nothing to compare" in axes.texts[0].get_text()


def test_contours_need_an_area():
    axes = sweeps.plot_contour(trials(1), "rate", "width", "q", logs=["rate"])
    assert axes.get_xlabel() == "log10 rate"
    line = trials(1).assign(width=7)
    assert sweeps.plot_contour(line, "rate", "width", "q") is not None


def test_importance_shows_both_measures():
    rows = [("rate", 0.7, 0.5, 0.9), ("width", 0.3, 0.1, 0.5)]
    table = pd.DataFrame(rows, columns=["parameter", "importance", "low", "high"]).assign(over="repeats")
    both = pd.concat([table.assign(evaluator=name) for name in ("fanova", "ped_anova")])
    axes = sweeps.plot_importance(both)
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["rate", "width"]
    assert "95 % over repeats" in axes.get_xlabel()
    more = pd.DataFrame([("interactions", 0.9, 0.8, 1.0)], columns=table.columns[:4])
    axes = sweeps.plot_importance(pd.concat([more.assign(over="repeats", evaluator="fanova"), both]))
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["rate", "width", "interactions"]


def test_the_front_holds_what_nothing_beats():
    frame = pd.DataFrame({"q": [1.0, 2.0, 2.0, 0.5], "cost": [1.0, 2.0, 3.0, 1.5], "state": "done"})
    assert sweeps.front(frame, {"q": "max", "cost": "min"}).tolist() == [True, True, False, False]
    axes = sweeps.plot_pareto_front(frame, "cost", "q")
    assert axes.lines[0].get_xdata().tolist() == [1.0, 2.0]


def overlapping(axes) -> list[str]:
    """Legends that lie over their own drawing area's data, and texts that lie over each other."""
    figure = axes.figure
    figure.canvas.draw()
    legend = axes.get_legend()
    box = legend.get_window_extent() if legend else None
    points = [
        axes.transData.transform(np.column_stack([line.get_xdata(), line.get_ydata()]))
        for line in axes.lines
        if len(line.get_xdata())
    ]
    points += [
        axes.transData.transform(one.get_offsets()) for one in axes.collections if len(one.get_offsets())
    ]
    inside = box is not None and any(box.contains(x, y) for line in points for x, y in np.asarray(line))
    labels = [tick.get_window_extent() for tick in axes.get_xticklabels() if tick.get_text()]
    crossed = [a for a, b in itertools.pairwise(labels) if a.overlaps(b)]
    return ["legend over data"] * inside + ["ticks over each other"] * bool(crossed)


def test_nothing_lies_over_anything_else():
    frame = trials(4, 24).rename(columns={"rate": "learning_rate"})
    rows = [("learning_rate", 0.7, 0.5, 0.9), ("width", 0.1, 0.0, 0.5), ("kind", 0.05, 0.0, 0.95)]
    table = pd.DataFrame(rows, columns=["parameter", "importance", "low", "high"]).assign(over="repeats")
    table = pd.concat([table.assign(evaluator=name) for name in ("fanova", "ped_anova")])
    names = ["learning_rate", "width", "kind", "number", "core_seconds"]
    drawn = [
        sweeps.plot_best_so_far(frame, "q", ceiling=1.0),
        sweeps.plot_parallel_coordinates(frame, names, "q", logs=["learning_rate"]),
        sweeps.plot_contour(frame, "learning_rate", "core_seconds", "q", logs=["learning_rate"]),
        sweeps.plot_importance(table),
        sweeps.plot_pareto_front(frame, "core_seconds", "q"),
    ]
    assert [overlapping(axes) for axes in drawn] == [[]] * 5


def test_draws_and_halves():
    columns = {"tried": [1, 4], "gain": [0.0, 0.1], "low": [-0.1, 0.0], "high": [0.1, 0.2]}
    draws = pd.DataFrame(columns).assign(optimism=[0.0, 0.02])
    left, right = sweeps.plot_draws(draws, draws)
    assert [tick.get_text() for tick in left.get_xticklabels()] == ["1", "4"]
    assert right.get_ylabel() == "optimism in NDCG@10"


def test_none_among_numbers_has_a_place_on_its_axis():
    """Its lines once ended in the air."""
    frame = trials(1).assign(last=[None, 1, 2, 5] * 6)
    axes = sweeps.plot_parallel_coordinates(frame, ["rate", "last"], "q", logs=["rate"])
    heights = np.stack([line[:, 1] for line in axes.collections[0].get_segments()])
    assert np.isfinite(heights).all()
    assert {"none", "1", "2", "5"} <= {text.get_text() for text in axes.texts}
