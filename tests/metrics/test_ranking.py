"""Positions and metrics against ir_measures, against brute force over tie orders, and as invariants."""

import itertools
from types import SimpleNamespace

import ir_measures
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, R, Success, nDCG

from recsys.metrics.ranking import (
    earlier_events,
    evaluate,
    new_targets,
    rank_positions,
    ranking_metrics,
    score_batches,
)

CUTOFFS = (1, 2, 3, 5)


@st.composite
def cases(draw, max_users=4, max_items=9, distinct_scores=7):
    """Scores [B, M] with many ties, users with odd codes, targets and seen items that do not overlap."""
    users = np.array(draw(st.lists(st.integers(0, 50), min_size=1, max_size=max_users, unique=True)))
    items = draw(st.integers(2, max_items))
    levels = st.integers(0, distinct_scores - 1)
    rows = draw(
        st.lists(st.lists(levels, min_size=items, max_size=items), min_size=len(users), max_size=len(users))
    )
    # 0: neither, 1: target, 2: seen; every user gets at least one target
    role = np.array(
        draw(
            st.lists(
                st.lists(st.integers(0, 2), min_size=items, max_size=items),
                min_size=len(users),
                max_size=len(users),
            )
        )
    )
    role[np.arange(len(users)), draw(st.integers(0, items - 1))] = 1
    row, item = np.nonzero(role == 1)
    targets = pd.DataFrame({"user": users[row], "item": item})
    row, item = np.nonzero(role == 2)
    seen = pd.DataFrame({"user": users[row], "item": item})
    return np.array(rows, dtype=np.float32), users, targets, seen


def ordered_run(scores, users, seen):
    """A run for ir_measures in which every place is decided: score first, then ascending item code."""
    run = []
    for row, user in enumerate(users):
        hidden = set(seen.loc[seen["user"] == user, "item"])
        offered = [i for i in np.lexsort((np.arange(scores.shape[1]), -scores[row])) if i not in hidden]
        run += [ir_measures.ScoredDoc(str(user), str(i), float(-place)) for place, i in enumerate(offered)]
    return run


@settings(max_examples=60, deadline=None)
@given(cases())
def test_every_metric_agrees_with_ir_measures(case):
    scores, users, targets, seen = case
    _, per_user = ranking_metrics(rank_positions(scores, users, targets, seen, ties="id"), CUTOFFS)
    wanted = {"mrr": RR, "map": AP}
    for k in CUTOFFS:
        wanted |= {f"hr@{k}": Success @ k, f"recall@{k}": R @ k, f"ndcg@{k}": nDCG @ k}
    names = {measure: name for name, measure in wanted.items()}
    relevant = [ir_measures.Qrel(str(u), str(i), 1) for u, i in targets.itertuples(index=False)]
    found = list(ir_measures.iter_calc(list(names), relevant, ordered_run(scores, users, seen)))
    assert len(found) == len(names) * targets["user"].nunique()
    for value in found:
        assert per_user.loc[int(value.query_id), names[value.measure]] == pytest.approx(value.value, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(cases(max_users=1, max_items=6, distinct_scores=3))
def test_expected_ties_equal_the_mean_over_all_orders(case):
    """Every order of the catalogue as one pseudo-user: their mean is the expectation, for every metric."""
    scores, users, targets, seen = case
    expected, _ = ranking_metrics(rank_positions(scores, users, targets, seen, ties="expected"), CUTOFFS)

    orders = np.array(list(itertools.permutations(range(scores.shape[1]))))  # place of each item
    shuffled = np.empty_like(scores[0], shape=orders.shape)
    np.put_along_axis(shuffled, orders, np.broadcast_to(scores[0], orders.shape), axis=1)
    everyone = np.arange(len(orders))
    spread = lambda table: pd.DataFrame(  # noqa: E731
        {"user": np.repeat(everyone, len(table)), "item": orders[:, table["item"].to_numpy()].ravel()}
    )
    positions = rank_positions(shuffled, everyone, spread(targets), spread(seen), ties="id")
    brute_force, _ = ranking_metrics(positions, CUTOFFS)
    assert expected == pytest.approx(brute_force, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(cases(), st.sampled_from(["id", "expected"]))
def test_invariants(case, ties):
    scores, users, targets, seen = case
    positions = rank_positions(scores, users, targets, seen, ties=ties)
    means, per_user = ranking_metrics(positions, CUTOFFS)
    assert len(positions) == len(targets)
    assert ((per_user >= 0) & (per_user <= 1 + 1e-12)).all(axis=None)
    for short, long in itertools.pairwise(CUTOFFS):
        assert (per_user[f"recall@{short}"] <= per_user[f"recall@{long}"] + 1e-12).all()
        assert (per_user[f"hr@{short}"] <= per_user[f"hr@{long}"] + 1e-12).all()
    # only the order of scores counts, not their values
    stretched = rank_positions(np.exp(scores) * 3 - 7, users, targets, seen, ties=ties)
    pd.testing.assert_frame_equal(positions, stretched)
    # nor does the order of the users
    turned = rank_positions(scores[::-1], users[::-1], targets, seen, ties=ties)
    pd.testing.assert_frame_equal(positions, turned)
    # a user's metrics do not depend on who else is measured
    one = positions[positions["user"] == positions["user"].iloc[0]]
    assert ranking_metrics(one, CUTOFFS)[0] == pytest.approx(per_user.iloc[0].to_dict(), abs=1e-12)
    assert means["map"] == pytest.approx(per_user["map"].mean())


@settings(max_examples=40, deadline=None)
@given(cases(distinct_scores=1_000_000))
def test_without_ties_both_ways_agree(case):
    scores, users, targets, seen = case
    scores = scores + np.arange(scores.shape[1]) * 1e-3  # distinct within a row
    positions = [
        rank_positions(scores.astype(float), users, targets, seen, ties=t) for t in ("id", "expected")
    ]
    pd.testing.assert_frame_equal(*positions)


def test_many_tied_targets_stay_exact_at_catalogue_size():
    """200 of 100,000 tied items are relevant: against a direct product of the miss probabilities."""
    places, relevant, k = 100_000, 200, 50
    positions = pd.DataFrame(
        {"user": 0, "item": np.arange(relevant), "better": 0, "equal": places - 1}, dtype="int64"
    )
    means, _ = ranking_metrics(positions, [k])
    miss = np.prod([(places - relevant - i) / (places - i) for i in range(k)])
    assert means[f"hr@{k}"] == pytest.approx(1 - miss, rel=1e-8)
    assert means[f"recall@{k}"] == pytest.approx(k / places, rel=1e-12)
    # the mean first place of t among n is (n + 1) / (t + 1), and 1/x is convex
    assert means["mrr"] > (relevant + 1) / (places + 1)


def test_one_target_among_ties():
    positions = rank_positions(np.ones((1, 4)), [7], frame([(7, 2)]), ties="expected")
    assert positions[["better", "equal"]].to_numpy().tolist() == [[0, 3]]
    means, _ = ranking_metrics(positions, [1, 2])
    assert means["hr@1"] == pytest.approx(1 / 4)
    assert means["ndcg@2"] == pytest.approx((1 + 1 / np.log2(3)) / 4)
    assert means["mrr"] == means["map"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    by_id = rank_positions(np.ones((1, 4)), [7], frame([(7, 2)]), ties="id")
    assert by_id[["better", "equal"]].to_numpy().tolist() == [[2, 0]]


def test_a_target_that_is_not_offered_stands_behind_the_catalogue():
    scores = np.array([[1.0, -np.inf, -np.inf]])
    for ties in ("id", "expected"):
        positions = rank_positions(scores, [0], frame([(0, 1)]), ties=ties)
        assert positions[["better", "equal"]].to_numpy().tolist() == [[3, 0]]


def test_scores_are_left_alone_and_repeated_pairs_count_once():
    scores = np.array([[3.0, 2.0, 1.0]])
    twice = frame([(0, 2), (0, 2)])
    positions = rank_positions(scores, [0], twice, seen=frame([(0, 0)]))
    assert scores.tolist() == [[3.0, 2.0, 1.0]]
    assert positions["better"].tolist() == [1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scores": np.array([[np.nan, 1.0]])}, "user 4 hold NaN"),
        ({"scores": np.ones((2, 2))}, r"got shape \(2, 2\)"),
        ({"scores": np.ones((2, 2)), "users": [4, 4]}, "stands twice"),
        ({"seen": pd.DataFrame({"user": [4], "item": [1]})}, "user 4, item 1"),
        ({"seen": pd.DataFrame({"user": [4], "item": [-1]})}, "seen hold item -1"),
        ({"targets": pd.DataFrame({"user": [4], "item": [2]})}, "targets hold item 2"),
        ({"ties": "random"}, "'id' or 'expected'"),
    ],
)
def test_unusable_input_is_refused(arguments, message):
    usable = {"scores": np.ones((1, 2)), "users": [4], "targets": frame([(4, 1)])}
    with pytest.raises(ValueError, match=message):
        rank_positions(**{**usable, **arguments})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user": [], "item": [], "better": [], "equal": []}, "no positions"),
        ({"user": [0], "item": [0], "better": [-1], "equal": [0]}, "negative"),
        ({"user": [0, 0, 0], "item": [0, 1, 2], "better": [2] * 3, "equal": [1] * 3}, "damaged"),
    ],
)
def test_damaged_positions_are_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        ranking_metrics(pd.DataFrame(columns))


def test_a_cutoff_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        ranking_metrics(pd.DataFrame({"user": [0], "item": [0], "better": [0], "equal": [0]}), [0, 5])


# --- evaluation of a model over a split -------------------------------------------------------------


class FixedScores:
    def __init__(self, scores):
        self.scores = scores

    def score(self, users):
        return self.scores[users]


def frame(pairs):
    return pd.DataFrame(pairs, columns=["user", "item"], dtype="int64")


def small_split():
    return SimpleNamespace(
        train=frame([(0, 0), (1, 1), (2, 2), (2, 2)]),
        validation=frame([(0, 1), (1, 2)]),
        test=frame([(0, 2), (0, 2), (1, 1), (2, 0), (2, 3)]),
    )


def test_seen_items_and_repeats():
    split = small_split()
    assert earlier_events(split, "validation").to_numpy().tolist() == [[0, 0], [1, 1], [2, 2]]
    assert len(earlier_events(split, "test")) == 5
    assert new_targets(split).to_numpy().tolist() == [[0, 2], [2, 0], [2, 3]]  # user 1 bought item 1 before
    model = FixedScores(np.tile([4.0, 3.0, 2.0, 1.0], (3, 1)))
    masked = evaluate(model, split)
    assert masked.to_numpy().tolist() == [[0, 2, 0, 0], [2, 0, 0, 0], [2, 3, 2, 0]]
    kept = evaluate(model, split, seen="keep")
    assert kept.to_numpy().tolist() == [[0, 2, 2, 0], [1, 1, 1, 0], [2, 0, 0, 0], [2, 3, 3, 0]]


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
@pytest.mark.parametrize("ties", ["id", "expected"])
def test_batches_change_nothing(batch, ties):
    random = np.random.default_rng(0)
    model = FixedScores(random.integers(0, 4, (30, 8)).astype(float))
    pairs = pd.DataFrame({"user": random.integers(0, 30, 120), "item": random.integers(0, 8, 120)})
    split = SimpleNamespace(train=pairs[:60], validation=pairs[60:80], test=pairs[80:])
    whole = rank_positions(
        model.scores, np.arange(30), new_targets(split), earlier_events(split, "test"), ties=ties
    )
    pd.testing.assert_frame_equal(evaluate(model, split, ties=ties, batch=batch), whole)


def test_only_a_users_own_seen_items_are_masked():
    scores = np.zeros((5, 3))
    seen = frame([(4, 2), (0, 0), (2, 1), (2, 2)])
    masked = {
        int(user): np.flatnonzero(np.isneginf(row)).tolist()
        for users, rows in score_batches(FixedScores(scores), [4, 2, 1], seen, batch=2)
        for user, row in zip(users, rows, strict=True)
    }
    assert masked == {1: [], 2: [1, 2], 4: [2]}
    assert np.isfinite(scores).all()


def test_unknown_words_are_refused():
    model = FixedScores(np.ones((3, 4)))
    with pytest.raises(ValueError, match="'mask' or 'keep'"):
        evaluate(model, small_split(), seen="drop")
    with pytest.raises(ValueError, match="'validation' or 'test'"):
        evaluate(model, small_split(), part="train")
