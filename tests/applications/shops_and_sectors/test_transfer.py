"""EASE over users is EASE; a second shop helps new users exactly where tastes agree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recsys.applications.shops_and_sectors import cross_shop, transfer
from recsys.applications.shops_and_sectors.cross_shop import METHODS, ShopSettings, compare
from recsys.applications.shops_and_sectors.pairs import PairError, divide, load_pair
from recsys.applications.shops_and_sectors.transfer import UserEASE
from recsys.baselines.ease import EASE
from tests.applications.shops_and_sectors.made_pairs import made


@given(st.integers(0, 1000), st.floats(5, 200))
@settings(max_examples=10, deadline=None)
def test_over_users_it_is_the_same_model_as_over_items(seed, l2):
    pair = made(60, seed)
    events = pair.known
    ease = EASE(l2=l2).fit(events, *pair.target.shape)
    users = np.arange(60)
    np.testing.assert_allclose(UserEASE(pair, l2).score(users), ease.score(users), atol=2e-4)


def test_merged_is_ease_of_both_shops_side_by_side():
    pair = made(60)
    both = sparse.hstack([pair.source, pair.target]).tocsr()
    rows, columns = both.nonzero()
    events = pair.known.iloc[:0].reindex(range(len(rows))).assign(user=rows, item=columns).astype("int64")
    whole = EASE(l2=20.0).fit(events, *both.shape).score(np.arange(60))
    merged = UserEASE(pair, 20.0, 1.0).score(np.arange(60))
    np.testing.assert_allclose(merged, whole[:, pair.source.shape[1] :], atol=2e-4)


@pytest.mark.parametrize("method", ["merged", "mapped"])
def test_a_second_shop_helps_new_users_only_where_tastes_agree(method, monkeypatch):
    found = {}
    for linked in (True, False):
        monkeypatch.setattr(cross_shop, "load_pair", lambda name, linked=linked: made(300, 1, linked))
        found[linked] = compare(ShopSettings("made", method, "new", tries=2)).metrics
    popular = found[True]["ndcg@10_popularity"]
    assert found[True]["ndcg@10"] > 1.5 * popular
    assert found[False]["ndcg@10"] < 1.3 * popular


def test_single_gives_new_users_what_is_popular(monkeypatch):
    monkeypatch.setattr(cross_shop, "load_pair", lambda name: made(200, 2))
    found = compare(ShopSettings("made", "single", "new", tries=2)).metrics
    assert found["ndcg@10"] == pytest.approx(found["ndcg@10_popularity"])


def test_no_hidden_item_is_learnt_and_users_do_not_depend_on_a_seed():
    pair = made(200)
    for new in (False, True):
        parts = divide(pair, new)
        for part in (parts.validation, *parts.tests):
            held = part.target[part.hidden["user"].to_numpy(), part.hidden["item"].to_numpy()]
            assert held.sum() == 0
        again = divide(pair, new)
        assert all(
            one.hidden.equals(other.hidden) for one, other in zip(parts.tests, again.tests, strict=True)
        )
        judged = sorted(user for part in parts.tests for user in part.hidden["user"])
        assert judged == sorted(pair.hidden["user"])
        assert parts.validation.hidden.equals(again.validation.hidden)
    for fresh in divide(pair, True).tests:
        assert (np.diff(fresh.target.indptr)[fresh.hidden["user"]] == 0).all()
        assert fresh.target.nnz > 0.6 * pair.target.nnz


def test_all_methods_have_equal_tries_and_the_better_way_is_taken(monkeypatch):
    monkeypatch.setattr(cross_shop, "load_pair", lambda name: made(150, 3))
    found = compare(ShopSettings("made", "both_shops", "known", tries=4))
    assert found.trials["method"].value_counts().to_dict() == {"merged": 2, "mapped": 2}
    assert len(compare(ShopSettings("made", "single", "known", tries=4)).trials) == len(found.trials)
    best = found.trials.loc[found.trials["ndcg@10_validation"].idxmax()]
    assert found.metrics["ndcg@10_validation"] == best["ndcg@10_validation"]
    assert found.by_history["users"].sum() == found.metrics["users"]
    sizes = {len(METHODS.load(name)[1]) for name in ("single", "merged", "mapped")}
    assert sizes == {6}


def test_what_cannot_be_used_is_named(monkeypatch):
    with pytest.raises(PairError, match="users is one of known, new"):
        compare(ShopSettings(users="all"))
    monkeypatch.setattr(transfer, "MOST_USERS", 10)
    with pytest.raises(PairError, match="at most 10"):
        UserEASE(made(20), 1.0)


def test_the_demo_store_is_two_shops_with_common_users():
    pair = load_pair("demo_store")
    assert pair.source.shape[0] == pair.target.shape[0] == 2000
    assert len(pair.hidden) > 300
    assert pair.target[pair.hidden["user"].to_numpy(), pair.hidden["item"].to_numpy()].sum() == 0
