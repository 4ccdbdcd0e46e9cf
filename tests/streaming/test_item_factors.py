"""Item vectors: items of the same buyers lie together, and nothing is made up for items without any."""

import numpy as np

from recsys.streaming.events import EVENT
from recsys.streaming.item_factors import item_factors
from recsys.streaming.top_lists import load_catalogue, save_catalogue


def two_tastes():
    """Users 0 to 9 meet items 0 to 2, users 10 to 19 items 3 to 5; item 6 is met by nobody."""
    pairs = [(user, item + (3 if user >= 10 else 0)) for user in range(20) for item in range(3)]
    rows = np.zeros(len(pairs), dtype=EVENT)
    rows["user"], rows["item"] = np.array(pairs).T
    return rows


def test_items_of_the_same_buyers_lie_together():
    vectors = item_factors(two_tastes(), 7, width=2)
    assert np.allclose(np.linalg.norm(vectors[:6], axis=1), 1)
    assert (vectors[6] == 0).all()
    cosines = vectors @ vectors.T
    assert cosines[:3, :3].min() > 0.99
    assert np.abs(cosines[:3, 3:6]).max() < 0.01


def test_the_same_rows_give_the_same_vectors_and_few_users_give_zeros():
    assert (item_factors(two_tastes(), 7, 2) == item_factors(two_tastes(), 7, 2)).all()
    one = two_tastes()[:3]
    assert (item_factors(one, 7, 4) == 0).all()
    assert item_factors(one[:0], 7, 4).shape == (7, 4)


def test_a_catalogue_reads_back(tmp_path):
    vectors = item_factors(two_tastes(), 7, 2)
    save_catalogue(tmp_path / "items.npz", vectors, np.arange(7))
    kept = load_catalogue(tmp_path / "items.npz", k=3)
    assert (kept.vectors == vectors).all()
    assert kept.popularity.tolist() == list(range(7))
    assert kept.k == 3
