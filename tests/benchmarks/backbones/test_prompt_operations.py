"""Operations of prompts: what is counted is what the model is given to read."""

import numpy as np
import pandas as pd
import pytest

from recsys.benchmarks.backbones.prompt_operations import (
    label_operations,
    reranking_operations,
    writing_operations,
)
from recsys.benchmarks.training.flops import useful_flops
from recsys.models.next_item.zero_shot import ZeroShot
from recsys.models.prompting.generator import load_generator, shared_start
from recsys.models.prompting.ranking import PromptedReranker

LABELS = [" dog", " guitar horse island"]


@pytest.fixture(scope="module")
def generator():
    return load_generator("random-gpt")


@pytest.fixture
def read(generator, monkeypatch):
    """How many tokens each call of the model reads."""
    counts: list[int] = []
    inner = generator.model.forward

    def counted(**given):
        counts.append(given["input_ids"].numel())
        return inner(**given)

    monkeypatch.setattr(generator.model, "forward", counted)
    return counts


def test_one_prompt_and_its_labels(generator, read):
    prompt = "a red dress and a boat"
    generator.label_log_likelihood([prompt], LABELS)
    tokens, behind = len(generator.ids(prompt)), len(generator.ids(LABELS[1])) - 1
    assert sum(read) == tokens + behind, "the label of one token is decided by the prompt"
    forward = [useful_flops(generator.model, np.array([n])) / 3 for n in (tokens, tokens + behind)]
    words = 2 * generator.model.get_output_embeddings().weight.numel()
    wanted = forward[1] + (1 + behind) * words
    assert label_operations(generator, [prompt], LABELS) == pytest.approx(wanted)


def test_what_prompts_share_is_counted_once(generator, read):
    start = "apple boat chair dog engine flower guitar horse "
    prompts = [start + end for end in ("apple", "boat", "chair")]
    generator.label_log_likelihood(prompts, LABELS[:1])
    ids = [generator.ids(prompt) for prompt in prompts]
    shared, lengths = shared_start(ids), np.array([len(one) for one in ids])
    assert shared > 1, "the test's premise"
    assert sum(read) == lengths.sum() - 2 * shared
    model, words = generator.model.base_model, 2 * generator.model.get_output_embeddings().weight.numel()
    wanted = (useful_flops(model, lengths) - 2 * useful_flops(model, np.array([shared]))) / 3 / 3 + words
    assert label_operations(generator, prompts, LABELS[:1]) == pytest.approx(wanted)


def test_writing_reads_the_prompt_and_what_it_wrote(generator):
    short, long = (writing_operations(generator, ["a red dress"], most) for most in (1, 5))
    words = 2 * generator.model.get_output_embeddings().weight.numel()
    tokens = len(generator.ids("a red dress"))
    more = useful_flops(generator.model, np.array([tokens + 4])) - useful_flops(
        generator.model, np.array([tokens])
    )
    assert long - short == pytest.approx(4 * words + more / 3)


def test_re_ranking_costs_more_with_more_candidates(generator):
    titles = ["red shoes", "a boat", "dog food", "cat food"]
    events = pd.DataFrame({"user": [0, 1], "item": [0, 1], "time": [1, 1]})
    first = ZeroShot(np.eye(4, dtype=np.float32))
    work = [
        reranking_operations(
            PromptedReranker(first, generator, titles, candidates=n).fit(events, 3, 4), np.array([0, 1])
        )
        for n in (1, 3)
    ]
    assert 0 < work[0] < work[1]
    nobody = PromptedReranker(first, generator, titles).fit(events, 3, 4)
    assert reranking_operations(nobody, np.array([2])) == 0, "a user without a history asks nothing"
