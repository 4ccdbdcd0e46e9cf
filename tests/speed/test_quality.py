from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.speed.quality import closeness, home_depot_ndcg, nearest, real_queries, real_titles
from tests.data.conftest import REAL_DATA


def unit_rows(seed, rows):
    vectors = np.random.default_rng(seed).normal(size=(rows, 8)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


CATALOGUE, QUERIES = unit_rows(0, 300), unit_rows(1, 40)


def test_the_reference_itself():
    found = closeness(CATALOGUE, QUERIES, CATALOGUE, QUERIES)
    assert (found.overlap == 1).all()
    assert found.overlap_low == 1
    assert found.cosine == pytest.approx(1)


def test_other_vectors_overlap_by_chance_only():
    found = closeness(unit_rows(2, 300), unit_rows(3, 40), CATALOGUE, QUERIES)
    assert found.mean_overlap == pytest.approx(10 / 300, abs=0.03)
    assert found.overlap_low < found.mean_overlap


def test_one_neighbour_lost_by_hand():
    catalogue = np.eye(4, dtype=np.float32)
    query = np.array([[0.8, 0.5, 0.3, 0.1]], dtype=np.float32)
    other = np.array([[0.8, 0.1, 0.3, 0.5]], dtype=np.float32)
    assert closeness(catalogue, other, catalogue, query, k=2).mean_overlap == 0.5


def test_the_same_ten_in_another_order_are_not_the_same_ranking():
    catalogue = np.eye(4, dtype=np.float32)
    query = np.array([[0.8, 0.5, 0.3, 0.1]] * 3, dtype=np.float32)
    other = np.array([[0.5, 0.8, 0.3, 0.1], [0.9, 0.4, 0.1, 0.3], [0.9, 0.4, 0.3, 0.1]], dtype=np.float32)
    found = closeness(catalogue, other, catalogue, query, k=2)
    assert found.overlap.tolist() == [1, 1, 1]
    assert found.same_order.tolist() == [False, True, True]
    tied = np.array([[0.5, 0.5, 0.3, 0.1]], dtype=np.float32)
    other = np.array([[0.5, 0.5 + 1e-7, 0.3, 0.1]], dtype=np.float32)
    assert closeness(catalogue, other, catalogue, tied, k=3).same_order.all(), "either of two equals may lead"


@given(st.integers(1, 30), st.integers(0, 5))
def test_nearest_is_a_sort(k, seed):
    queries = np.round(unit_rows(seed, 5), 1)  # ties
    catalogue = np.round(unit_rows(seed + 9, 30), 1)
    scores = queries @ catalogue.T
    expected = -np.sort(-scores, axis=1)[:, :k]
    found = nearest(queries, catalogue, k)
    assert (np.take_along_axis(scores, found, axis=1) == expected).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="shapes differ"):
        closeness(CATALOGUE[:5], QUERIES, CATALOGUE, QUERIES)
    with pytest.raises(ValueError, match="k must be from 1 to 300"):
        closeness(CATALOGUE, QUERIES, CATALOGUE, QUERIES, k=301)
    with pytest.raises(ValueError, match="not finite"):
        closeness(np.full_like(CATALOGUE, np.nan), QUERIES, CATALOGUE, QUERIES)


@pytest.fixture
def home_depot(monkeypatch, tmp_path):
    if not (REAL_DATA / "home_depot" / "train.csv.zip").is_file():
        pytest.skip("real data not at hand: home_depot/train.csv.zip")
    monkeypatch.setenv("RECSYS_DATA", str(REAL_DATA))
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path))


def test_home_depot_by_shared_words(home_depot):
    """An encoder that counts letters' pairs beats a random order, and chance does not."""

    def letters(texts):
        counts = np.zeros((len(texts), 512), dtype=np.float32)
        for row, text in enumerate(texts):
            low = text.lower()
            np.add.at(counts[row], [(ord(a) * 31 + ord(b)) % 512 for a, b in pairwise(low)], 1)
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)

    found = home_depot_ndcg(letters, letters, part="validation", most=300)
    assert len(found.per_list) == 300
    assert found.mean > found.random_mean + 0.01
    again = home_depot_ndcg(letters, letters, part="validation", most=300)
    assert found.per_list.equals(again.per_list)
    titles, queries = real_titles("home_depot", 50), real_queries(20)
    assert len(set(titles)) == 50
    assert len(set(queries)) == 20


def test_titles_of_the_demo_store():
    titles = real_titles("demo_store", 20)
    assert len(set(titles)) == 20
