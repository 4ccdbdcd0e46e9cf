"""The demo store: frozen constants, determinism, and what must hold in every log whatever the seed."""

import dataclasses
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.demo_store import behaviour, constants, judgements, load, load_truth, pictures, seeds
from recsys.data.demo_store.preferences import pick, sigmoid
from recsys.data.tables import NO_ITEM, Dataset, check

FROZEN = {
    "SIZES": {"full": (2000, 2000), "small": (200, 200)},
    "FIRST_DAY": "2023-01-01",
    "DAYS": 365,
    "CARTS_PER_CLICK": 0.38,
    "PURCHASES_PER_CART": 0.32,
    "CLICKS_PER_VIEW": 0.12,
    "SEARCHES_PER_SESSION": 1.1,
    "DIRECT_CLICKS_PER_SESSION": 2.5,
    "SESSIONS_PER_USER": 12.5,
    "MINIMUM_SESSIONS": 2,
    "ACTIVITY_SHAPE": 1.0,
    "JOINING_SHARE": 0.25,
    "POPULARITY_EXPONENT": 0.871,
    "POPULARITY_SHIFT": 10.0,
    "NEW_ITEM_SHARE": 0.25,
    "LAUNCH_WINDOW": (0.04, 0.96),
    "LIST_LENGTH": 8,
    "CANDIDATES": 16,
    "POSITION_BIAS_ETA": 1.0,
    "CLICK_NOISE": 0.1,
    "EXPLORATION_SHARE": 0.2,
    "RANKER_WEIGHTS": {"category": 3.0, "attribute": 1.0, "clicks": 0.35},
    "PARAPHRASE_SHARE": 0.35,
    "PARAPHRASE_UNDERSTOOD": 0.5,
    "MODIFIER_SHARE": 0.5,
    "DESCRIPTION_SYNONYM_SHARE": 0.3,
    "LATENT_SIZES": {"text": 8, "picture": 6, "hidden": 4},
    "AFFINITY_SHARES": {"text": 0.40, "picture": 0.30, "hidden": 0.30},
    "PROFILE_SHARE": 0.25,
    "TASTE_CORRELATION": 0.8,
    "COMMON_DRIFT_SHARE": 0.3,
    "PRICE_WEIGHT": 0.4,
    "PRICE_SENSITIVITY_SIGMA": 0.5,
    "QUALITY_WEIGHT": 0.4,
    "CHOICE_SCALE": 0.8,
    "CATEGORY_SCALE": 0.8,
    "STAGE_SCALES": {"click": 0.8, "cart": 0.8, "purchase": 0.6},
    "RELEVANCE_LOGITS": (-4.0, -2.0, -0.7, 0.0),
    "SAME_INTENT_SHARE": 0.15,
    "COMPLEMENT_SHARE": 0.20,
    "INTENT_CLICK_SHARE": 0.6,
    "FOURTH_TO_FIRST_QUARTER": 1.31,
    "WEEKEND_FACTOR": 1.1,
    "SEASON_AMPLITUDE": 0.6,
    "RATING_SHARES": (0.08, 0.06, 0.09, 0.19, 0.58),
    "RATING_RATE": 0.5,
    "RATING_SELF_SELECTION": 0.5,
    "REVIEW_RATE": 0.6,
    "REVIEW_MISMATCH": 0.08,
    "SATISFACTION_WEIGHTS": {"affinity": 0.5, "quality": 0.7, "noise": 0.6},
    "JUDGED_QUERIES": {"full": 300, "small": 60},
    "JUDGEMENT_POOL": {"lexical": 15, "category": 6, "group": 5, "random": 8},
}
SEEDS = st.integers(min_value=0, max_value=2**31)


def digest(dataset: Dataset, images: np.ndarray) -> str:
    """One hash over every cell of every table and every pixel."""
    total = hashlib.sha256()
    for table in (dataset.items, dataset.users, dataset.events, dataset.judgements):
        total.update(",".join(f"{name}:{kind}" for name, kind in table.dtypes.items()).encode())
        total.update(pd.util.hash_pandas_object(table).to_numpy().tobytes())
    total.update(images.tobytes())
    return total.hexdigest()


def test_constants_are_frozen():
    found = {name: value for name, value in vars(constants).items() if name.isupper()}
    assert found == FROZEN


def test_same_bits_in_another_process():
    code = (
        "from tests.data.demo_store.test_store import digest\n"
        "from recsys.data.demo_store import load, pictures\n"
        "store = load(3, 'small')\n"
        "print(digest(store, pictures(store, 3)))"
    )
    surroundings = {**os.environ, "PYTHONHASHSEED": "12", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    root = Path(__file__).parents[3]
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=surroundings, cwd=root, check=True
    )
    store = load(3, "small")
    assert other.stdout.strip() == digest(store, pictures(store, 3))
    assert digest(load(4, "small"), pictures(load(4, "small"), 4)) != other.stdout.strip()


def test_a_new_part_does_not_shift_the_others(monkeypatch):
    before = {part: seeds.generator(5, "small", part).random(3) for part in seeds.PARTS}
    monkeypatch.setattr(seeds, "PARTS", (*seeds.PARTS, "something new"))
    for part, numbers in before.items():
        np.testing.assert_array_equal(seeds.generator(5, "small", part).random(3), numbers)
    draws = np.array([*before.values(), seeds.generator(5, "small", "something new").random(3)])
    assert len(np.unique(draws)) == draws.size


def test_unknown_size_and_negative_seed_are_refused():
    with pytest.raises(ValueError, match=r"no size 'huge'; choose one of full, small"):
        load(0, "huge")
    with pytest.raises(ValueError, match="must be 0 or more"):
        load(-1, "small")


@settings(max_examples=8, deadline=None)
@given(seed=SEEDS)
def test_every_log_keeps_the_order_of_things(seed):
    store = check(load(seed, "small"))
    assert (store.n_users, store.n_items) == constants.SIZES["small"]
    events = store.events
    searches, views, clicks, carts, purchases = (
        events[events["kind"] == kind] for kind in ("search", "view", "click", "cart", "purchase")
    )
    assert (searches["item"] == NO_ITEM).all()
    assert searches["query"].notna().all()

    # Each search shows one full list of distinct products, at once, from the top down.
    blocks = views[["position", "item", "order"]].to_numpy(int).reshape(-1, constants.LIST_LENGTH, 3)
    assert len(blocks) == len(searches)
    assert (blocks[:, :, 0] == np.arange(constants.LIST_LENGTH)).all()
    assert (np.diff(np.sort(blocks[:, :, 1], axis=1), axis=1) > 0).all()
    place = np.arange(1, constants.LIST_LENGTH + 1)
    np.testing.assert_array_equal(blocks[:, :, 2], searches["order"].to_numpy()[:, None] + place)
    same = ["user", "session", "time", "query"]
    asked = searches[same].loc[searches.index.repeat(constants.LIST_LENGTH)].reset_index(drop=True)
    pd.testing.assert_frame_equal(views[same].reset_index(drop=True), asked)

    # The funnel: what comes later needs what comes before, in the same session, on the same product.
    assert_follows(clicks[clicks["position"].notna()], views, ["query", "position", "propensity"])
    assert_follows(carts, clicks, [])
    assert_follows(purchases, carts, [])
    assert not purchases.duplicated(["user", "item"]).any()
    assert not carts.duplicated(["session", "item"]).any()

    # One session: one user, less than a day; sessions do not overlap.
    spans = {"user": ("user", "nunique"), "start": ("time", "min"), "end": ("time", "max")}
    sessions = events.groupby("session").agg(**spans)
    assert (sessions["user"] == 1).all()
    assert (sessions["end"] - sessions["start"] < pd.Timedelta(hours=17)).all()
    assert (events.groupby("user")["session"].diff().dropna() >= 0).all()

    # Nobody and nothing is in the log before its time.
    named = events[events["item"] != NO_ITEM]
    assert (named["time"].to_numpy() >= store.items["launched"].to_numpy()[named["item"]]).all()
    joined = store.users["joined"].fillna(pd.Timestamp(constants.FIRST_DAY)).to_numpy()
    assert (events["time"].to_numpy() >= joined[events["user"]]).all()
    assert set(events["user"]) == set(range(store.n_users))


def assert_follows(later: pd.DataFrame, earlier: pd.DataFrame, also_equal: list[str]) -> None:
    """Each row of `later` has a row of `earlier` with the same user, session and item that is not younger."""
    keys = ["user", "session", "item", *also_equal]
    first = earlier.groupby(keys)["order"].min().rename("first")
    joined = later.merge(first, how="left", left_on=keys, right_index=True)
    assert joined["first"].notna().all()
    assert (joined["first"] < joined["order"]).all()


@settings(max_examples=4, deadline=None)
@given(seed=SEEDS)
def test_columns_are_filled_where_they_have_a_meaning(seed):
    store = load(seed, "small")
    events = store.events
    kind = events["kind"]
    bought = kind == "purchase"
    on_list = events["position"].notna()
    assert (events["propensity"].notna() == on_list).all()
    assert (events["query"].notna() == (on_list | (kind == "search"))).all()
    assert (on_list | (kind != "view")).all()
    assert (events["price"].notna() == bought).all()
    paid = events[bought]
    np.testing.assert_array_equal(paid["price"], store.items["price"].to_numpy()[paid["item"]])
    rated = events["rating"].notna()
    assert not (rated & ~bought).any()
    assert set(events.loc[rated, "rating"]) == {1, 2, 3, 4, 5}
    assert (events["review_time"].notna() == rated).all()
    assert (rated | events["review"].isna()).all()
    assert (events.loc[rated, "review_time"] - events.loc[rated, "time"] > pd.Timedelta(days=2)).all()
    uniform = constants.EXPLORATION_SHARE / constants.CANDIDATES
    assert set(events.loc[on_list, "propensity"].round(12)) == {uniform, round(1 - 0.2 + uniform, 12)}


@settings(max_examples=4, deadline=None)
@given(seed=SEEDS)
def test_judgements_are_the_true_grades_of_logged_queries(seed):
    store, truth = load(seed, "small"), load_truth(seed, "small")
    table = store.judgements
    assert not table.duplicated(["query", "item"]).any()
    assert set(table["query"]) <= set(store.events["query"].dropna())
    assert table["query"].nunique() == constants.JUDGED_QUERIES["small"]
    assert set(table["grade"]) == {0, 1, 2, 3}
    for query, pool in table.groupby("query"):
        np.testing.assert_array_equal(truth.relevance(query)[pool["item"]], pool["grade"])
    assert truth.queries["query"].is_unique  # so that a text has one meaning


def test_unknown_query_has_no_relevance():
    with pytest.raises(KeyError, match="the words 'flying carpet'"):
        load_truth(0, "small").relevance("flying carpet")


def test_lexical_scores_by_hand():
    texts = ["Oak desk", "Oak, oak shelf for a desk", "Wool scarf"]
    scores = judgements.lexical_scores(texts, ["oak", "wool desk", "tent"])
    mean = (2 + 6 + 2) / 3
    rarity = np.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    expected = [f * 2.2 / (f + 1.2 * (0.25 + 0.75 * n / mean)) * rarity for f, n in ((1, 2), (2, 6))]
    np.testing.assert_allclose(scores[0], [*expected, 0])
    assert scores[1].argmax() == 2
    np.testing.assert_array_equal(scores[2], 0)


def test_the_dataset_holds_nothing_of_the_truth():
    store, truth = load(1, "small"), load_truth(1, "small")
    assert {field.name for field in dataclasses.fields(store)} == {
        "name", "items", "users", "events", "judgements", "cleaning"
    }  # fmt: skip
    public = {
        "items": "item source_id title description category brand material style use price launched",
        "users": "user source_id age_band household region joined",
        "events": "user item kind order time session query position propensity price"
        " rating review review_time",
        "judgements": "query item grade",
    }
    for name, columns in public.items():
        table = getattr(store, name)
        assert list(table.columns) == columns.split()
        assert table.attrs == {}
    secrets = [truth.item_quality, truth.item_popularity, *truth.item_latent.T]
    secrets += [codes.to_numpy() for _, codes in truth.appearance.apply(lambda c: c.factorize()[0]).items()]
    for column in ("item", "price", "source_id", "brand", "material", "style", "use", "category"):
        values = pd.Series(store.items[column])
        numbers = values if values.dtype.kind in "if" else pd.Series(values.factorize(sort=True)[0])
        for secret in secrets:
            assert abs(np.corrcoef(numbers, secret)[0, 1]) < 0.6


@given(
    blocks=st.lists(st.integers(0, 5), min_size=20, max_size=80),
    mean=st.floats(0.02, 0.15),
    seed=st.integers(0, 1000),
)
@settings(max_examples=30, deadline=None)
def test_at_most_one_success_a_block_at_the_wanted_rate(blocks, mean, seed):
    random = np.random.default_rng(seed)
    scores, blocks = random.normal(size=len(blocks)), np.array(blocks)
    wanted = mean * min(
        1.0, len(np.unique(blocks)) / (0.2 * len(blocks))
    )  # a block gives one success at most
    outcome = behaviour.first_success(scores, blocks, wanted, np.full(len(blocks), 1.0))
    assert not outcome.happened.any()
    # Nothing happened, so the probabilities are the unconditional ones: check the rate by enumeration.
    expected = 0.0
    for block in np.unique(blocks):
        p = outcome.probability[blocks == block]
        expected += 1 - np.prod(1 - p)
    assert expected == pytest.approx(wanted * len(blocks), rel=1e-6)
    drawn = behaviour.first_success(scores, blocks, wanted, random.random(len(blocks)))
    assert np.bincount(blocks[drawn.happened], minlength=6).max() <= 1


@given(st.integers(0, 1000))
def test_pick_takes_a_column_of_positive_weight(seed):
    random = np.random.default_rng(seed)
    weights = random.random((50, 6)) * (random.random((50, 6)) < 0.5)
    weights[:, 3] += 0.01
    chosen = pick(weights, random.random(50))
    assert (weights[np.arange(50), chosen] > 0).all()
    np.testing.assert_array_equal(
        pick(np.array([[1.0, 1.0, 2.0]] * 4), np.array([0, 0.3, 0.5, 0.99])), [0, 1, 2, 2]
    )


def test_sigmoid_has_its_known_values():
    np.testing.assert_allclose(sigmoid(np.array([0.0, np.log(3.0)])), [0.5, 0.75])
