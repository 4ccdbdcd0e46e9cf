"""Re-ranking by a generative model: the first results anew, all else as it was."""

import numpy as np
import pandas as pd
import pytest

from recsys.models.next_item.zero_shot import ZeroShot
from recsys.models.prompting import ranking
from recsys.models.prompting.generator import load_generator
from recsys.models.prompting.ranking import PromptedReranker, candidate_scores

TITLES = ["red shoes", "a boat", "dog food", "cat food", "an engine", "blue hat"]
# user 0 met items 0 and 1, user 1 item 2; user 2 nothing
EVENTS = pd.DataFrame({"user": [0, 0, 1], "item": [0, 1, 2], "time": [1, 2, 1]})


@pytest.fixture(scope="module")
def generator():
    return load_generator("random-gpt")


def vectors() -> np.ndarray:
    found = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_candidate_scores_equal_one_pair_after_the_other(generator):
    prompt = ranking.question(["dog food", "cat food"])
    sums, counts = generator.log_likelihood([prompt] * 6, [f" {title}" for title in TITLES])
    frequent, _ = generator.log_likelihood([ranking.NOTHING] * 6, [f" {title}" for title in TITLES])
    found = candidate_scores(generator, ["dog food", "cat food"], TITLES)
    assert np.allclose(found, (sums - frequent) / counts, atol=1e-4)


def test_candidates_are_scored_alone(generator):
    titles = ["red shoes", "a boat", "an engine of a very long title " * 9]
    scores = candidate_scores(generator, ["dog food", "cat food"], titles)
    assert scores.shape == (3,)
    assert np.allclose(
        candidate_scores(generator, ["dog food", "cat food"], titles[1:]), scores[1:], atol=1e-5
    )
    assert not np.allclose(candidate_scores(generator, "dog food", titles), scores)


def test_the_first_results_are_ordered_anew_and_the_rest_stays(generator):
    first = ZeroShot(vectors()).fit(EVENTS, 3, 6)
    before = first.score(np.arange(3))
    model = PromptedReranker(ZeroShot(vectors()), generator, TITLES, candidates=2, newest=1).fit(EVENTS, 3, 6)
    found = model.score(np.arange(3))
    for user, met in ((0, [0, 1]), (1, [2])):
        free = [item for item in np.argsort(-before[user], kind="stable") if item not in met]
        assert set(np.argsort(-found[user])[:2]) == set(free[:2]), "above everything, none of the history"
        likely = candidate_scores(generator, [TITLES[met[-1]]], [TITLES[item] for item in free[:2]])
        assert (found[user, free[0]] > found[user, free[1]]) == (likely[0] >= likely[1])
        rest = [item for item in range(6) if item not in free[:2]]
        assert found[user, rest].tolist() == before[user, rest].tolist()
    assert found[2].tolist() == before[2].tolist(), "nobody is asked for a user without a history"


def test_of_two_with_one_title_the_first_recommenders_better_one_stays_first(generator):
    first = ZeroShot(vectors()).fit(EVENTS, 3, 6)
    before = first.score(np.array([1]))[0]
    model = PromptedReranker(ZeroShot(vectors()), generator, ["red shoes"] * 6, candidates=5).fit(
        EVENTS, 3, 6
    )
    found = model.score(np.array([1]))[0]
    wanted = [item for item in np.argsort(-before, kind="stable") if item != 2]
    assert np.argsort(-found, kind="stable")[:5].tolist() == wanted


def test_histories_of_another_time_are_asked_for(generator):
    model = PromptedReranker(ZeroShot(vectors()), generator, TITLES, candidates=2).fit(EVENTS, 3, 6)
    later = pd.concat([EVENTS, pd.DataFrame({"user": [2], "item": [4], "time": [3]})])
    assert model.with_history(later).asked(2) == ["an engine"]
    assert model.asked(2) == []
    assert model.asked(0) == ["red shoes", "a boat"]
