"""The trivial scorers: what they count, and that chance is chance."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from recsys.baselines.popularity import Popularity, RandomScorer, counted_events, trivial_scorer
from recsys.metrics.ranking import evaluate, ranking_metrics


def events(items, days=None):
    table = pd.DataFrame({"user": range(len(items)), "item": items})
    return (
        table if days is None else table.assign(time=pd.Timestamp("2026-01-01") + pd.to_timedelta(days, "D"))
    )


def test_counts_are_the_same_for_everybody():
    scores = Popularity().fit(events([2, 2, 0]), n_users=3, n_items=4).score(np.array([1, 2]))
    assert scores.dtype == np.float32
    assert scores.tolist() == [[1, 0, 2, 0]] * 2


def test_a_window_counts_the_last_days_only():
    train = events([0, 0, 0, 1, 1], days=[0, 1, 2, 29, 30])
    assert Popularity(window=7).fit(train, 5, 2).counts.tolist() == [0, 2]
    assert Popularity(window=365).fit(train, 5, 2).counts.tolist() == [3, 2]


def test_a_window_without_times_is_refused():
    with pytest.raises(ValueError, match="needs event times"):
        Popularity(window=7).fit(events([0, 1]), 2, 2)
    with pytest.raises(ValueError, match="above 0"):
        Popularity(window=0)


def test_random_scores_depend_on_seed_and_user_alone():
    scorer = RandomScorer(seed=1).fit(events([0]), 10, 50)
    together = scorer.score(np.array([3, 7, 4]))
    np.testing.assert_array_equal(scorer.score(np.array([7]))[0], together[1])
    assert not np.array_equal(together[0], together[1])
    assert not np.array_equal(
        RandomScorer(seed=2).fit(events([0]), 10, 50).score(np.array([7]))[0], together[1]
    )


def test_a_random_scorer_finds_one_in_m():
    users, items, k = 4000, 100, 10
    targets = pd.DataFrame({"user": np.arange(users), "item": np.arange(users) % items})
    split = SimpleNamespace(train=targets.iloc[:0], validation=targets.iloc[:0], test=targets)
    means, _ = ranking_metrics(evaluate(RandomScorer(0).fit(targets, users, items), split), [k])
    error = np.sqrt(0.1 * 0.9 / users)
    assert means[f"hr@{k}"] == pytest.approx(k / items, abs=4 * error)


def test_counting_all_events_sees_the_test_items():
    split = SimpleNamespace(train=events([0]), validation=events([1]), test=events([2]))
    assert counted_events(split, "train")["item"].tolist() == [0]
    assert counted_events(split, "all")["item"].tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="'train' or 'all'"):
        counted_events(split, "test")


def test_scorers_by_name():
    assert trivial_scorer("random", seed=5, window_days=30.0).seed == 5
    assert trivial_scorer("popularity", seed=0, window_days=30.0).window is None
    assert trivial_scorer("popularity_window", seed=0, window_days=30.0).window == 30.0
    with pytest.raises(ValueError, match="must be random"):
        trivial_scorer("bm25", seed=0, window_days=30.0)
