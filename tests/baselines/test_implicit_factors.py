"""What is asked of the library's two factorisations beyond what every baseline has to do."""

import warnings

import numpy as np
import pandas as pd
import pytest

from recsys.baselines.als import ALS
from recsys.baselines.bpr import BPR
from recsys.baselines.interactions import interaction_matrix
from tests.baselines.planted_blocks import ITEMS, USERS, planted_split

SPLIT = planted_split()
EVERYBODY = np.arange(USERS)


def test_als_users_are_the_solution_for_their_items():
    """(YᵀY + Yᵀ(C − I)Y + λI)⁻¹ Yᵀ C p, Hu et al. 2008, equation 4."""
    alpha, penalty = 7.0, 0.3
    model = ALS(factors=6, alpha=alpha, regularization=penalty).fit(SPLIT.train, USERS, ITEMS)
    y = model.item_factors.astype(np.float64)
    wanted = interaction_matrix(SPLIT.train, USERS, ITEMS).toarray()[11]
    confidence = np.where(wanted > 0, alpha, 1.0)
    user = np.linalg.solve((y.T * confidence) @ y + penalty * np.eye(6), (y.T * confidence) @ wanted)
    np.testing.assert_allclose(model.score(np.array([11]))[0], y @ user, atol=1e-4)


def test_als_counts_repeats_unless_told_not_to():
    twice = pd.concat([SPLIT.train, SPLIT.train[SPLIT.train["item"] < 5]])
    counted = [ALS(8).fit(events, USERS, ITEMS).score(EVERYBODY) for events in (SPLIT.train, twice)]
    assert not np.allclose(*counted)
    binary = [ALS(8, weights="binary").fit(e, USERS, ITEMS).score(EVERYBODY) for e in (SPLIT.train, twice)]
    np.testing.assert_array_equal(*binary)


def test_als_folds_the_new_history_in():
    model = ALS(factors=8, seed=1).fit(SPLIT.train, USERS, ITEMS)
    again = model.with_history(SPLIT.train)
    np.testing.assert_array_equal(again.score(EVERYBODY), model.score(EVERYBODY))
    later = model.with_history(pd.concat([SPLIT.train, SPLIT.validation]))
    rows, items = SPLIT.validation["user"].to_numpy(), SPLIT.validation["item"].to_numpy()
    gain = later.score(EVERYBODY)[rows, items] - model.score(EVERYBODY)[rows, items]
    assert gain.min() > 0
    assert later.item_factors is model.item_factors


def test_bpr_learns_again_from_a_longer_history():
    """It once ignored validation events, which every other model of the tables is told before the test."""
    model = BPR(factors=8, iterations=5).fit(SPLIT.train, USERS, ITEMS)
    everything = pd.concat([SPLIT.train, SPLIT.validation])
    later = model.with_history(everything)
    afresh = BPR(factors=8, iterations=5).fit(everything, USERS, ITEMS)
    np.testing.assert_array_equal(later.score(EVERYBODY), afresh.score(EVERYBODY))
    same = model.with_history(SPLIT.train)
    assert same.item_factors is model.item_factors


def test_a_stranger_gets_the_item_biases_from_bpr():
    scores = (
        BPR(factors=4, iterations=5).fit(SPLIT.train, USERS + 2, ITEMS).score(np.array([USERS, USERS + 1]))
    )
    np.testing.assert_array_equal(scores[0], scores[1])
    assert scores[0].std() > 0


@pytest.mark.parametrize("make", [ALS, BPR])
def test_the_library_keeps_quiet(make, capfd, monkeypatch):
    monkeypatch.setattr("implicit.utils._checked_blas_config", False)  # it warns once in a process
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(factors=4, iterations=2).fit(SPLIT.train, USERS, ITEMS)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("make", [ALS, BPR])
def test_settings_out_of_range_are_refused(make):
    for settings in ({"factors": 0}, {"iterations": 0}, {"num_threads": 0}, {"regularization": -1}):
        with pytest.raises(ValueError, match=next(iter(settings))):
            make(**settings)
    with pytest.raises(ValueError, match=r"alpha|learning_rate"):
        make(**{"alpha": 0} if make is ALS else {"learning_rate": 0})
    with pytest.raises(ValueError, match="no events"):
        make().fit(SPLIT.train.iloc[:0], USERS, ITEMS)
