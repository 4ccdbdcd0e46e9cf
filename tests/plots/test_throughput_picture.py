"""The picture of the training loops draws what it is given; its numbers by hand."""

import matplotlib
import pandas as pd
import pytest

from recsys.plots.throughput import plot_throughput, throughput_metrics


@pytest.fixture(autouse=True)
def no_window():
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    yield
    plt.close("all")


def compared(loops=("plain fp32", "sentence-transformers", "kit"), metric=True):
    speed = {"plain fp32": [10.0, 12.0], "sentence-transformers": [8.0, 8.0], "kit": [30.0, 30.0]}
    quality = {"plain fp32": [0.4, 0.5], "sentence-transformers": [0.5, 0.5], "kit": [0.5, 0.6]}
    rows = [
        {
            "loop": loop,
            "round": number,
            "tokens_per_second": speed[loop][number],
            "ratio": speed[loop][number] / speed["plain fp32"][number] if "plain fp32" in loops else None,
            "cpu_seconds": 60 / speed[loop][number],
            "share_of_limit": 0.5,
            "metric": quality[loop][number] if metric else float("nan"),
        }
        for number in (0, 1)
        for loop in loops
    ]
    return pd.DataFrame(rows).astype({"ratio": float})


def test_picture():
    axes = plot_throughput(compared())
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "plain fp32",
        "sentence-transformers",
        "kit",
    ]
    assert [bar.get_width() for bar in axes.patches] == [11, 8, 30]
    assert sum(len(points.get_offsets()) for points in axes.collections) == 6
    assert axes.texts[2].get_text() == "2.75×, 50% of its limit"
    assert plot_throughput(compared(("kit",))).texts[0].get_text() == "50% of its limit"


def test_metrics():
    found = throughput_metrics(compared())
    assert found["kit_ratio_to_plain"] == pytest.approx(2.75)
    assert found["kit_ratio_to_plain_least"] == pytest.approx(2.5)
    assert found["kit_ratio_to_trainer"] == pytest.approx(3.75)
    assert found["kit_cpu_ratio_to_trainer"] == pytest.approx(3.75)
    assert found["kit_share_of_limit"] == 0.5
    assert found["kit_metric"] == pytest.approx(0.55)
    assert found["kit_metric_loss"] == pytest.approx(-0.05)
    assert found["metric_band"] == pytest.approx(2 * 0.1 / 2**0.5)
    assert "kit_ratio_to_trainer_bf16" not in found
    assert "kit_metric" not in throughput_metrics(compared(metric=False))
    assert set(throughput_metrics(compared(("kit",)))) == {
        "kit_share_of_limit",
        "kit_tokens_per_second",
        "kit_metric",
    }
