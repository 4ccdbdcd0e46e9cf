"""Stacks on the demo store with a few steps of training: what changes, and what must not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.benchmarks.ladder import title_vectors
from recsys.benchmarks.ladder.conversion import conversion
from recsys.benchmarks.ladder.item_vectors import item_side
from recsys.benchmarks.ladder.judge import judge, repurchases
from recsys.benchmarks.ladder.moments import Asked
from recsys.benchmarks.ladder.stack import Choice, blocks, build, stored_bytes
from recsys.benchmarks.ladder.steps import parse
from recsys.ensembling.budget import Budget
from recsys.ensembling.candidate_lists import candidate_lists, union
from recsys.ensembling.errors import EnsembleError
from recsys.metrics.ranking import earlier_events, new_targets
from recsys.models.next_item.evaluation import with_training_history
from recsys.models.next_item.model_settings import ModelSettings

SETTINGS = ModelSettings(
    trials=1,
    settings={"max_steps": 6},
    options={"width": 16, "most_per_user": 4, "max_items": 8},
    judged_users=50,
    backbone="random-bert",
)
CHOICE = Choice(SETTINGS, trials=2, pairs=64, variant="packed-fp32", budget=Budget(calls=12, rows=200))


@pytest.fixture(scope="module")
def ground(store):
    return build((), store, CHOICE)


@pytest.fixture(scope="module")
def fused(store):
    return build(parse("stream_state fusion"), store, CHOICE)


def test_a_step_changes_what_it_says(ground, fused, store, asked):
    assert (ground.state, fused.state) == ("training", "moment")
    assert list(fused.scorers) == ["sequence", "ease", "item_knn"]
    assert fused.weights.sum() == pytest.approx(1)
    below, above = judge(ground, asked, store), judge(fused, asked, store)
    assert set(below.positions[["user", "item"]].itertuples(index=False)) == set(
        above.positions[["user", "item"]].itertuples(index=False)
    )
    assert above.metrics["ndcg@10"] > below.metrics["ndcg@10"]
    assert stored_bytes(fused) > stored_bytes(ground)
    for name in ("diversity@10", "coverage@10"):
        assert 0 <= above.metrics[name] <= 1
    assert {"list_ms", "core_seconds", "core_seconds_fusion", "novelty@10"} <= set(above.metrics)
    assert "title_ms" not in above.metrics


def test_what_is_served_is_what_the_weights_were_chosen_for(fused, store):
    """Weights are of z-scores over what a user has not met; else a long history outweighs them."""
    users = new_targets(store.split, "validation")["user"].unique()
    seen = earlier_events(store.split, "validation")
    pool = union(
        [
            candidate_lists(name, with_training_history(model, store), users, seen)
            for name, model in fused.scorers.items()
        ]
    )
    row = pd.Series(np.arange(len(users)), index=users)
    own = store.split.train[store.split.train["user"].isin(users)]
    own, rows = own.assign(user=own["user"].map(row)), np.arange(40)
    for place, chosen_for in enumerate(pool.normalised()[:, :40]):
        served = replace(fused, weights=np.eye(3)[place]).score(own, rows)
        kept = np.isfinite(chosen_for)
        found = np.take_along_axis(served, np.maximum(pool.ids[:40], 0), axis=1)
        np.testing.assert_allclose(found[kept], chosen_for[kept], rtol=1e-3, atol=1e-3)


def test_scores_do_not_depend_on_the_block(fused, asked):
    histories = asked.histories["moment"]
    whole = fused.score(histories, np.arange(40))
    parts = np.concatenate([fused.score(histories, rows) for rows in blocks(40, 7)])
    np.testing.assert_allclose(whole, parts, rtol=1e-4, atol=1e-4)


def test_the_same_history_has_the_same_list_whoever_has_it(ground, asked):
    own = asked.histories["moment"].query("user == 3")
    twice = [own.assign(user=row) for row in (0, 1)]
    scores = ground.score(pd.concat(twice, ignore_index=True), np.arange(2))
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-5, atol=1e-5)


def test_diversity_is_one_minus_the_mean_cosine_of_words(ground, asked, store):
    from recsys.benchmarks.ladder.judge import _diversity
    from recsys.multimodal.modalities.words import encode

    lists = judge(ground, asked, store).lists[:5]
    words = encode(pd.DataFrame({"text": store.described}), np.unique(store.train["item"])).vectors
    cosines = [(words[row] @ words[row].T).toarray()[~np.eye(10, dtype=bool)].mean() for row in lists]
    assert _diversity(lists, store)["diversity@10"] == pytest.approx(1 - np.mean(cosines), abs=1e-5)


def test_conversion_of_a_stack_has_estimate_and_truth(fused, shop):
    metrics, per_list = conversion(fused, shop)
    assert metrics["conversion_low"] <= metrics["conversion"] <= metrics["conversion_high"]
    assert 0 < metrics["conversion_truth"] < 1
    assert set(per_list) == {"list", "conversion", "conversion_truth"}


def test_tuning_tries_the_default_first_and_counts(store):
    tuned = build(parse("tuning"), store, CHOICE)
    assert len(tuned.trials) == 2
    assert tuned.trials["ndcg@10"].notna().all()


def test_the_optimised_graph_keeps_the_vectors_and_a_tuned_encoder_moves_them(store):
    plain, optimised, tuned = (
        item_side(parse(steps), store, SETTINGS, 320, "packed-fp32")
        for steps in ("pretrained", "pretrained optimised_graph", "pretrained fine_tuned")
    )
    cosine = np.einsum("md,md->m", plain.titles.vectors, optimised.titles.vectors)
    assert cosine.min() > 0.9999
    assert (
        np.abs(plain.titles.vectors - tuned.titles.vectors).max()
        > 10 * np.abs(plain.titles.vectors - optimised.titles.vectors).max()
    )
    assert all(one.titles.title_ms > 0 and one.titles.encoder_bytes > 0 for one in (plain, optimised))


def test_titles_are_made_once_and_cost_every_stack_the_same(store, tmp_path, monkeypatch):
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path))
    calls = []
    tune = title_vectors.tune_on_successors
    monkeypatch.setattr(title_vectors, "tune_on_successors", lambda *a: (calls.append(a[-1]), tune(*a)))
    asked = (parse("pretrained fine_tuned"), store)
    first, again = (item_side(*asked, SETTINGS, 192, "packed-fp32") for _ in range(2))
    assert calls == [0]
    np.testing.assert_array_equal(first.vectors, again.vectors)
    assert again.titles.seconds == first.titles.seconds > 0
    assert again.seconds >= again.titles.seconds, "whoever reads them pays for making them"
    other_seed = item_side(*asked, replace(SETTINGS, seed=1), 192, "packed-fp32")
    assert calls == [0, 1]
    assert np.abs(other_seed.vectors - first.vectors).max() > 0
    more_pairs = item_side(*asked, SETTINGS, 256, "packed-fp32")
    assert calls == [0, 1, 0]
    assert np.abs(more_pairs.vectors - first.vectors).max() > 0


def test_a_variant_that_the_processor_cannot_run_is_one_line(store, tmp_path, monkeypatch):
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path))

    def refuse(*_, **__):
        raise RuntimeError("mkldnn_reorder_linear_weight: bf16 path needs the cpu support avx512bw\nmore")

    monkeypatch.setattr(title_vectors, "fast_encoder", refuse)
    with pytest.raises(
        EnsembleError, match=r"packed-int8 does not run .* avx512bw\): choose another, .* onnx-int8$"
    ):
        item_side(parse("pretrained optimised_graph"), store, SETTINGS, 64, "packed-int8")


def test_a_shop_with_titles_alone_has_no_further_modality(store):
    bare = replace(store, dataset=replace(store.dataset, name="online_retail"))
    with pytest.raises(EnsembleError, match="titles alone"):
        item_side(parse("multimodal"), bare, SETTINGS, 64, "packed-fp32")


def test_who_buys_a_listed_product_again_is_counted(ground):
    """Ten customers; the model's own first product is what the first five come back for."""
    history = pd.DataFrame({"user": np.arange(10), "item": np.arange(10), "order": 0})
    best = ground.score(history, np.arange(10)).argmax(axis=1)
    later = pd.DataFrame({"user": np.arange(5), "item": best[:5]})
    nothing = history.iloc[:0][["user", "item"]]
    asked = Asked(np.arange(10), {"training": history, "moment": history}, None, nothing, later)
    found = repurchases(ground, asked, 30.0)
    assert found["repeat_hr@10"] == pytest.approx(0.5)
    assert found["repeat_recall@20"] == pytest.approx(1.0)
    assert found["returning_share"] == pytest.approx(0.5)
