"""Scores of lists by pooled vectors and by tokens, what they cost, and weights that no test list decides."""

from dataclasses import replace

import numpy as np
import pandas as pd

from recsys.search.bi_encoder import QUERY_TOKENS, TITLE_TOKENS, pair_cosines
from recsys.search.graded import load_graded
from recsys.search.reranking.late_interaction import embed_tokens, max_sim
from recsys.search.studies.late_interaction import SHARE, best_share, score_lists
from recsys.search.studies.study import StudySettings, ask


def test_scores_are_those_of_each_pair_alone(bert):
    asked = pd.DataFrame(
        {
            "query": ["mug", "lamp", "mug", "mug"],
            "title": ["blue mug", "red lamp", "red lamp", "a long title of a mug"],
        }
    )
    scores, costs = score_lists(bert, asked)
    cosines = pair_cosines(bert, asked["query"].tolist(), asked["title"].tolist())
    np.testing.assert_allclose(scores["pooled"], cosines, atol=1e-6)
    for row, (query, title) in asked.iterrows():
        one = max_sim(embed_tokens(bert, [query], QUERY_TOKENS), embed_tokens(bert, [title], TITLE_TOKENS))
        np.testing.assert_allclose(scores["max_sim"][row], one[0], atol=0.02)  # bfloat16, other padding
    assert costs["title_bytes_max_sim"] == costs["tokens"] * costs["title_bytes_pooled"]
    assert costs["title_bytes_pooled"] == 4 * bert.width
    assert costs["max_sim_ms"] > 0


def test_validation_alone_decides_the_weight():
    data = load_graded("demo_store")
    rows = np.concatenate([data.parts["validation"], data.parts["test"]])
    grade, n = data.table["grade"].to_numpy(float)[rows], len(data.parts["validation"])
    noise = np.random.default_rng(0).random(len(rows))
    told_by_first = np.where(np.arange(len(rows)) < n, grade, -grade)  # right on validation, wrong on test
    assert best_share(data, told_by_first, noise) == 1
    assert best_share(data, noise, told_by_first) < SHARE
    nothing = replace(data, parts=data.parts | {"validation": np.empty(0, int)})
    assert best_share(nothing, noise[n:], grade[n:]) == SHARE


def test_the_table_shows_what_a_scorer_costs():
    found = ask("late_interaction", StudySettings(backbone="random-bert"))
    table = found.table.set_index("scorer")
    assert table.loc["max_sim", "title_bytes"] > table.loc["pooled", "title_bytes"]
    assert table.loc["max_sim + bm25", "alpha"] == found.metrics["alpha_max_sim_bm25"]
    assert np.isclose(
        table.loc["max_sim", "ndcg@10"] - table.loc["pooled", "ndcg@10"], found.metrics["late:difference"]
    )
