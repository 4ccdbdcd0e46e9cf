"""Pictures of items: with their captions, and of a data set whose photos have none (Grocery Store)."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from recsys.plots.multimodal import plot_changed, plot_neighbours

VECTORS = {"picture": np.eye(3)}
CHANGED = pd.DataFrame({"row": [1], "true": ["pear"], "before": ["apple"], "after": ["pear"]})


@pytest.fixture
def photos(tmp_path):
    matplotlib.use("Agg")
    Image.new("RGB", (4, 4), "red").save(tmp_path / "apple.png")
    return pd.DataFrame({"picture": [str(tmp_path / "apple.png"), None, None]})


def test_captions_are_the_items_texts(photos):
    axes = plot_neighbours(photos.assign(text=["apple", "pear", "plum"]), VECTORS, row=1)
    assert [place.get_title() for place in axes[:3]] == ["pear", "apple", "plum"]
    assert plot_changed(photos.assign(text=["apple", "pear", "plum"]), CHANGED)[0].get_title() == "pear"


def test_photos_without_texts_are_shown_without_captions(photos):
    assert {place.get_title() for place in plot_neighbours(photos, VECTORS, row=0)} == {""}
    assert plot_changed(photos, CHANGED)[0].get_title() == ""
