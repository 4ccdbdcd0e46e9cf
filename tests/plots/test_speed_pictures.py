"""The pictures of speed draw what they are given, and no label hides another."""

from itertools import combinations

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from recsys.plots import speed
from recsys.plots.style import panels

TABLE = pd.DataFrame(
    [
        ("a", "fp32", 1.00, 4e-3, 70.0, 3000.0, 6000.0, 90.0, 200.0),
        ("b", "bf16", 0.99, 3e-3, 140.0, 8000.0, 10000.0, 45.0, 120.0),
        ("c", "int8", 0.95, 1e-3, 150.0, 5000.0, 20000.0, 23.0, np.nan),
        ("d", "int8", 0.94, 2e-3, 130.0, 5000.0, 20000.0, 24.0, 60.0),
        ("e", "bf16", 0.15, 1e-3, 900.0, 9000.0, 10000.0, 30.0, 90.0),
    ],
    columns=[
        *("variant", "precision", "overlap", "latency", "throughput"),
        *("tokens_per_second", "limit_tokens_per_second", "disk", "memory"),
    ],
)


@pytest.fixture(autouse=True)
def no_window():
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    yield
    plt.close("all")


def bars(axes):
    """Length, colour and label of each, from above."""
    found = zip(axes.patches, axes.texts, strict=True)
    return [(bar.get_width(), bar.get_facecolor()[:3], text.get_text()) for bar, text in found]


def test_shares_of_the_limit():
    (axes,) = speed.plot_shares(TABLE).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["e", "b", "a", "c", "d"]
    assert [width for width, _, _ in bars(axes)] == [0.9, 0.8, 0.5, 0.25, 0.25]
    assert bars(axes)[1][2] == "80%, 8k/s"
    assert bars(axes)[2][1] == to_rgb(speed.PRECISION_COLOURS["fp32"])


def test_front_by_hand():
    fastest = speed.pareto_front(TABLE, "latency", lower=True)
    assert list(fastest["variant"]) == ["a", "b", "c"]  # e is as fast as c, and worse
    most = speed.pareto_front(TABLE, "throughput", lower=False)
    assert list(most["variant"]) == ["a", "b", "c", "e"]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4)), min_size=1, max_size=9), st.booleans())
def test_what_is_not_in_front_is_beaten(pairs, lower):
    frame = pd.DataFrame(pairs, columns=["overlap", "cost"])
    front = speed.pareto_front(frame, "cost", lower)
    sign = 1 if lower else -1

    def beats(one, other):
        as_good = one[0] >= other[0] and sign * one[1] <= sign * other[1]
        return as_good and one != other

    expected = [i for i, own in enumerate(pairs) if not any(beats(other, own) for other in pairs)]
    assert list(front.index) == expected


def test_pareto_picture():
    both = TABLE.rename(columns={"overlap": "overlap_query"}).assign(overlap_titles=TABLE["overlap"])
    both.loc[both["variant"] == "b", "overlap_titles"] = 0.9  # titles lose more
    figure = speed.plot_pareto(both, floor=0.98)
    left, right = figure.axes
    assert sorted(text.get_text() for text in left.texts) == ["a", "b", "c", "d"]
    assert "e 0.15" in figure.get_supxlabel()
    drawn = np.concatenate([points.get_offsets() for points in right.collections])
    assert {tuple(point) for point in drawn if np.isfinite(point).all()} >= {(0.9, 140.0), (1.0, 70.0)}
    assert left.lines[0].get_xdata().tolist() == [0.95, 0.95, 0.99, 0.99, 1.0]
    assert left.lines[0].get_ydata().tolist() == [1.0, 3.0, 3.0, 4.0, 4.0]
    assert "queries encoded so" in left.get_xlabel()
    assert "titles encoded so" in right.get_xlabel()
    alone = speed.plot_pareto(both.iloc[:1])
    assert len(alone.axes[0].texts) == 1


@pytest.mark.parametrize("seed", [0, 7, 9999])
def test_labels_hardly_hide_one_another(seed):
    """Twenty variants in six clusters are more than there is room for: a pair or two overlap."""
    from recsys.plots.labels import place_labels

    draw = np.random.default_rng(seed)
    points = np.c_[draw.choice([0.2, 0.5, 0.9], 20), draw.choice([0.2, 0.8], 20)] + draw.normal(
        0, 0.03, (20, 2)
    )
    (axes,) = panels(1, width=6.6, height=5.2)
    axes.set(xlim=(0, 1.1), ylim=(0, 1))
    place_labels(axes, points, [f"variant-{n}" for n in range(20)])
    axes.figure.canvas.draw()
    boxes = [text.get_window_extent().shrunk(0.95, 0.9) for text in axes.texts]
    corners = axes.transData.transform(points)
    unmoved = [box.translated(*(at - box.p0)) for at, box in zip(corners, boxes, strict=True)]
    hidden = [sum(a.overlaps(b) for a, b in combinations(where, 2)) for where in (boxes, unmoved)]
    assert hidden[0] <= 2
    assert 2 * hidden[0] < hidden[1]
    inside = axes.get_window_extent()
    assert all(inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1) for box in boxes)
    matplotlib.pyplot.close("all")


def test_grid():
    rows = [
        (name, tokens, batch, threads, 1000.0 * tokens * batch * threads)
        for name in ("one", "two")
        for tokens in (8, 64)
        for batch in (1, 4, 16)
        for threads in (1, 2)
    ]
    frame = pd.DataFrame(rows, columns=["variant", "tokens", "batch", "threads", "tokens_per_second"])
    figure = speed.plot_grid(frame)
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes[:4]]
    assert titles == ["one, 1 thread", "one, 2 threads", "two, 1 thread", "two, 2 threads"]
    said = [text.get_text() for text in figure.axes[1].texts]
    assert said == ["16k", "64k", "256k", "128k", "512k", "2M"]
    single = speed.plot_grid(frame.iloc[:1].drop(columns="variant"))
    assert [text.get_text() for text in single.axes[0].texts] == ["8k"]


def test_cache():
    frame = pd.DataFrame({"size": [100, 10], "hit_rate": [0.5, 0.2], "theory": [0.52, 0.21]})
    (axes,) = speed.plot_cache(frame).axes
    assert axes.collections[0].get_offsets().tolist() == [[10, 0.2], [100, 0.5]]
    assert axes.lines[0].get_ydata().tolist() == [0.21, 0.52]
    (axes,) = speed.plot_cache(frame.drop(columns="theory")).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["measured"]


def test_sizes():
    disk, memory = speed.plot_sizes(TABLE, {"disk": 24}).axes
    assert [width for width, _, _ in bars(disk)] == [23, 24, 30, 45, 90]
    assert bars(memory)[0][2] == "not measured"
    assert disk.lines[0].get_xdata()[0] == 24
    assert not memory.lines


def test_short_numbers():
    assert [speed._short(n) for n in (7.25, 654.3, 1500, 12345, 2.5e6)] == [
        "7.25",
        "654",
        "1.5k",
        "12k",
        "2.5M",
    ]


def test_cost_sensitivity():
    costs = pd.DataFrame(
        [("a", 20, 8.0), ("a", 200, 2.0), ("b", 20, 4.0), ("b", 200, 1.0)],
        columns=["variant", "requests_per_second", "cost_per_million"],
    )
    left, right = speed.plot_cost_sensitivity(costs, price=0.04, rate=200).axes
    assert left.lines[0].get_ydata().tolist() == [8.0, 2.0]
    assert right.lines[1].get_ydata().tolist() == pytest.approx([0.25, 0.5, 1.0, 2.0, 4.0])
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["a", "b"]
