"""The pictures of notebook 09."""

import pandas as pd

from recsys.plots import fusion


def test_the_legend_of_diversity_stands_once_with_two_decimals():
    """Seen in the rendered notebook: 0.17513360861851737, in both panels, over the points."""
    table = pd.DataFrame({"rank_correlation": [-0.5, 0.1, 0.3], "error_correlation": [0.1, 0.2, 0.4]})
    table = table.assign(gain=[0.004, -0.003, 0.006], strength_ratio=[0.17513360861851737, 0.198, 0.886])
    first, second = fusion.plot_diversity(table)
    assert first.get_legend() is None
    assert [text.get_text() for text in second.get_legend().get_texts()] == ["0.18", "0.2", "0.89"]
