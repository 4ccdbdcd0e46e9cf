"""Figures show what their tables hold."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from recsys.plots.applications.demand import plot_errors, plot_service, plot_weeks
from recsys.plots.applications.sectors import plot_by_history, plot_differences


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_service_against_stock_has_a_line_a_method_and_a_point_a_level():
    rows = [(m, q, q, 10 * q * (1 + (m == "b"))) for m in "ab" for q in (0.5, 0.8, 0.9)]
    axes = plot_service(pd.DataFrame(rows, columns=["method", "level", "fill_rate", "weeks_held"]))
    drawn = [line for line in axes.get_lines() if len(line.get_xdata()) == 3]
    assert len(drawn) == 2
    np.testing.assert_allclose(drawn[0].get_ydata(), [0.5, 0.8, 0.9])
    assert "stock" in axes.get_xlabel()


def test_weeks_show_what_was_asked_for_and_leave_nothing_out_but_nothing():
    weeks = pd.date_range("2024-01-01", periods=4, freq="7D")
    table = pd.DataFrame({"week": weeks, "actual": [4.0, 5, 6, 7], "nothing": 0.0, "croston": 5.0})
    axes = plot_weeks(table)
    names = {text.get_text() for text in axes.get_legend().get_texts()}
    assert names == {"asked for", "croston"}
    errors = pd.DataFrame({"method": ["worse", "better"], "wape": [0.9, 0.5]})
    assert [tick.get_text() for tick in plot_errors(errors).get_yticklabels()] == ["better", "worse"]


def test_differences_are_named_and_stand_at_their_means():
    lists = pd.DataFrame({"encoder_linear:difference": [0.1, 0.3, 0.2], "other": [1, 2, 3]})
    axes = plot_differences(lists)
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["encoder − linear"]
    assert axes.containers[0].lines[0].get_xdata()[0] == pytest.approx(0.2)
    history = pd.DataFrame({"source items": ["1 to 4", "over 4"], "users": [9, 3], "merged": [0.1, 0.2]})
    heights = [bar.get_height() for bar in plot_by_history(history).patches if bar.get_height() > 0]
    assert heights == pytest.approx([0.1, 0.2])
