import numpy as np
import pandas as pd
import pytest

from recsys.baselines.ease import EASE
from recsys.multimodal.features import FeatureError, Features
from recsys.multimodal.late_scores import LateRecommender, fit_late
from recsys.multimodal.side_information import ContentNeighbours, SideInformationEASE, similarity

N_USERS, N_ITEMS = 40, 12


def events(seed: int = 0) -> pd.DataFrame:
    """Two tastes: even users buy items 0 to 4, odd ones 6 to 10; items 5 and 11 are never bought."""
    random = np.random.default_rng(seed)
    rows = [(u, 6 * (u % 2) + i) for u in range(N_USERS) for i in random.permutation(5)[:3]]
    return pd.DataFrame(rows, columns=["user", "item"])


def content() -> Features:
    """Two groups of items, 0 to 5 and 6 to 11."""
    vectors = np.zeros((N_ITEMS, 4), dtype=np.float32)
    vectors[:6, 0] = vectors[6:, 1] = 1
    vectors += 0.05 * np.random.default_rng(1).normal(size=vectors.shape).astype(np.float32)
    return Features("text", vectors, np.ones(N_ITEMS, bool))


def test_without_weights_it_is_ease():
    plain = EASE(10.0).fit(events(), N_USERS, N_ITEMS)
    side = SideInformationEASE({"text": 0.0}, 10.0).fit(events(), N_USERS, {"text": content()}, N_ITEMS)
    assert np.allclose(side.score(np.arange(N_USERS)), plain.score(np.arange(N_USERS)), atol=1e-5)


def test_an_item_that_nobody_bought_is_found_by_its_content_alone():
    users = np.arange(N_USERS)
    plain = EASE(10.0).fit(events(), N_USERS, N_ITEMS).score(users)
    assert (plain[:, [5, 11]] == 0).all()
    side = SideInformationEASE({"text": 5.0}, 10.0).fit(events(), N_USERS, {"text": content()}, N_ITEMS)
    scores = side.score(users)
    assert ((scores[:, 5] > scores[:, 11]) == (users % 2 == 0)).all()


def test_missing_vectors_add_nothing():
    present = np.ones(N_ITEMS, bool)
    present[5] = False
    hidden = content().replaced(content().vectors, present)
    found = similarity(hidden, N_ITEMS)
    assert (found[5] == 0).all()
    assert np.allclose(found, found.T, atol=1e-6)
    assert np.allclose(np.diag(found)[present], 1, atol=1e-4)


def test_a_profile_moves_users_without_history_and_is_never_recommended():
    own = np.eye(2, dtype=np.float32)[np.arange(N_USERS) % 2]
    profile = Features("profile", own, np.ones(N_USERS, bool))
    train = events()
    train = train[train["user"] > 1]
    model = SideInformationEASE({}, 10.0, profile=1.0).fit(train, N_USERS, {}, N_ITEMS, profile)
    scores = model.score(np.array([0, 1]))
    assert scores.shape == (2, N_ITEMS)
    assert scores[0, :5].mean() > scores[0, 6:11].mean()
    assert scores[1, :5].mean() < scores[1, 6:11].mean()
    again = model.with_history(train).score(np.array([0, 1]))
    assert np.allclose(again, scores)


def test_wrong_weights_and_shapes_are_named():
    with pytest.raises(FeatureError, match="0 or more"):
        SideInformationEASE({"text": -1.0})
    with pytest.raises(FeatureError, match="at least one modality"):
        SideInformationEASE({}, behaviour=False)
    with pytest.raises(FeatureError, match="one row for each of 40 users"):
        SideInformationEASE({}, profile=1.0).fit(events(), N_USERS, {}, N_ITEMS)
    with pytest.raises(FeatureError, match="12 rows for 13 items"):
        SideInformationEASE({"text": 1.0}).fit(events(), N_USERS, {"text": content()}, 13)


def test_late_fusion_takes_the_better_member_and_keeps_histories():
    from recsys.data.splits import Split

    whole = events()
    place = whole.groupby("user").cumcount()
    parts = {"train": whole[place < 2], "validation": whole[place == 2], "test": whole[:0]}
    split = Split(**parts, kind="test", n_users=N_USERS, n_items=N_ITEMS)
    good = ContentNeighbours({"text": 1.0}).fit(split.train, N_USERS, {"text": content()}, N_ITEMS)
    random = content().replaced(
        np.random.default_rng(3).normal(size=(N_ITEMS, 4)).astype(np.float32), np.ones(N_ITEMS, bool)
    )
    bad = ContentNeighbours({"text": 1.0}).fit(split.train, N_USERS, {"text": random}, N_ITEMS)
    fused, trials = fit_late([bad, good], ["bad", "good"], split)
    assert fused.weights[1] > fused.weights[0]
    assert trials["ndcg@10"].max() == pytest.approx(trials["ndcg@10"].max())
    other = fused.with_history(whole)
    assert isinstance(other, LateRecommender)
    assert not np.allclose(other.score(np.arange(4)), fused.score(np.arange(4)))
