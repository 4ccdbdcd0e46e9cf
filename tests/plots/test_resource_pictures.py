"""The pictures of memory and caches draw what they are given."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

from recsys.plots.resources import plot_batches, plot_staleness, plot_step_memory


@pytest.fixture(autouse=True)
def no_window():
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    yield
    plt.close("all")


def test_kinds_stand_side_by_side_and_the_peak_is_marked():
    columns = {
        "weights": [1.0, 1.0],
        "gradients": [2.0, 2.0],
        "optimizer": [3.0, 3.0],
        "activations": [9.0, 4.0],
    }
    frame = pd.DataFrame(columns | {"peak": [12.0, 11.0]}, index=["plain", "less"])
    (axes,) = plot_step_memory(frame).axes
    bars = [(bar.get_x(), bar.get_width()) for bar in axes.patches]
    assert bars == [(0, 1), (0, 1), (1, 3), (1, 3), (4, 2), (4, 2), (6, 9), (6, 4)]
    assert axes.collections[0].get_offsets().tolist() == [[12, 0], [11, 1]]
    assert [text.get_text() for text in axes.texts] == ["peak 12", "peak 11"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["plain", "less"]


def test_the_line_meets_what_is_free_at_the_first_that_fails():
    frame = pd.DataFrame({"texts": [4, 8, 16], "peak": [30.0, 40.0, 80.0]})  # 5 a text at the end
    (axes,) = plot_batches(frame, slope=5, free=200, first_too_large=41).axes
    line, free, mark = axes.lines
    texts, peaks = (np.asarray(part) for part in line.get_data())
    assert peaks == pytest.approx(5 * texts)
    assert texts[0] == 4
    assert texts[-1] > 41
    assert set(free.get_ydata()) == {200}
    assert (list(mark.get_xdata()), list(mark.get_ydata())) == ([41], [200])
    assert [text.get_text() for text in axes.texts] == ["41 texts"]


def test_hits_and_stale_answers_by_time_to_live():
    frame = pd.DataFrame({"time_to_live": [100, 10], "hit_rate": [0.6, 0.2], "staleness": [0.3, np.nan]})
    (axes,) = plot_staleness(frame, chosen=100).axes
    hits, stale, chosen = axes.lines
    assert (hits.get_xdata().tolist(), hits.get_ydata().tolist()) == ([10, 100], [0.2, 0.6])
    assert stale.get_ydata()[1] == 0.3
    assert set(chosen.get_xdata()) == {100}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10", "100"]
