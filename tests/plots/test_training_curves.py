"""The pictures of a training run and of quality by rarity show what they are given."""

import numpy as np
import pandas as pd
import pytest

from recsys.plots.training_curves import plot_bands, plot_training


def test_loss_and_metric():
    history = pd.DataFrame({"step": range(1, 41), "loss": np.linspace(5, 1, 40), "metric": np.nan})
    assert len(plot_training(history)) == 1
    history.loc[[19, 39], "metric"] = [0.1, 0.2]
    loss, metric = plot_training(history)
    assert loss.lines[1].get_ydata()[-1] == pytest.approx(history["loss"].tail(20).mean())
    assert metric.lines[0].get_ydata().tolist() == [0.1, 0.2]


def test_bands_are_means_over_runs():
    frame = pd.DataFrame({"model": ["a", "a", "b"], "ndcg@10_cold": [0, 2, 5], "ndcg@10_rare": [1, 1, 1]})
    axes = plot_bands(frame)
    assert [line.get_ydata().tolist() for line in axes.lines] == [[1, 1], [5, 1]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
