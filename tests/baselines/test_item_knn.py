"""Nearest neighbours against sums done by hand."""

import numpy as np
import pandas as pd
import pytest

from recsys.baselines.item_knn import ItemKNN

# users of item 0: {0, 1, 2}; of 1: {0, 1}; of 2: {0, 3}; of 3: {3}; of 4: nobody
EVENTS = pd.DataFrame(
    [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (3, 2), (3, 3)], columns=["user", "item"]
).assign(order=[0, 1, 2, 0, 1, 0, 0, 1])
N, M = 5, 5


def fitted(**settings):
    return ItemKNN(**settings).fit(EVENTS, N, M)


def test_cosine_with_shrink_by_hand():
    similar = fitted(shrink=2.0).similarities.toarray()
    root6, two = np.sqrt(6), 2.0
    expected = np.zeros((M, M))
    for i, j, value in [
        (0, 1, 2 / (root6 + 2)),
        (0, 2, 1 / (root6 + 2)),
        (1, 2, 1 / (two + 2)),
        (2, 3, 1 / (np.sqrt(2) + 2)),
    ]:
        expected[i, j] = expected[j, i] = value
    np.testing.assert_allclose(similar, expected, rtol=1e-6)


def test_jaccard_by_hand():
    similar = fitted(shrink=0.0, similarity="jaccard").similarities.toarray()
    assert similar[0, 1] == pytest.approx(2 / 3)
    assert similar[0, 2] == pytest.approx(1 / 4)
    assert similar[2, 3] == pytest.approx(1 / 2)


def test_scores_are_sums_over_the_users_items():
    model = fitted(shrink=2.0)
    similar = model.similarities.toarray()
    scores = model.score(np.array([3, 0]))
    assert scores.dtype == np.float32
    np.testing.assert_allclose(
        scores, [similar[2] + similar[3], similar[0] + similar[1] + similar[2]], rtol=1e-6
    )


def test_only_the_nearest_of_each_scored_item_are_kept():
    everything, nearest = fitted(shrink=0.0), fitted(shrink=0.0, neighbours=1)
    full, kept = everything.similarities.toarray(), nearest.similarities.toarray()
    assert (kept > 0).sum(axis=0).tolist() == [1, 1, 1, 1, 0]
    np.testing.assert_array_equal(kept.max(axis=0), full.max(axis=0))


def test_equal_neighbours_are_kept_by_ascending_code():
    alike = pd.DataFrame([(0, 3), (0, 1), (0, 2), (0, 0)], columns=["user", "item"])
    kept = ItemKNN(neighbours=1).fit(alike, 1, 4).similarities.toarray()
    assert np.argmax(kept, axis=0).tolist() == [1, 0, 0, 0]


def test_blocks_of_columns_do_not_show(monkeypatch):
    whole = fitted().similarities.toarray()
    monkeypatch.setattr("recsys.baselines.item_knn.COLUMNS_AT_ONCE", 2)
    np.testing.assert_array_equal(fitted().similarities.toarray(), whole)


def test_only_the_newest_items_are_scored_from():
    model = fitted(last_items=1)
    np.testing.assert_array_equal(model.similarities.toarray(), fitted().similarities.toarray())
    np.testing.assert_array_equal(model.score(np.array([0]))[0], model.similarities.toarray()[2])
    later = pd.concat([EVENTS, pd.DataFrame({"user": [0], "item": [3], "order": [3]})])
    np.testing.assert_array_equal(
        model.with_history(later).score(np.array([0]))[0], model.similarities.toarray()[3]
    )


@pytest.mark.parametrize(
    "settings", [{"neighbours": 0}, {"shrink": -1}, {"similarity": "dice"}, {"last_items": 0}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        ItemKNN(**settings)
