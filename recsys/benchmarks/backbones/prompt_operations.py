"""Floating-point operations of asking a generative model, as `Generator` asks it.

An encoder reads a text once. A prompt is read with its instruction and examples, then each label's tokens
behind it, and each token that decides is multiplied with the whole word table.

n: prompts. C: labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recsys.benchmarks.training.flops import useful_flops
from recsys.models.prompting.generator import Generator, shared_start
from recsys.models.prompting.ranking import NOTHING, PromptedReranker, continuations, question


def label_operations(generator: Generator, prompts: Sequence[str], labels: Sequence[str]) -> float:
    """Operations of `Generator.label_log_likelihood`, mean of a prompt: all labels, without padding.

    What all prompts begin with is read once; each prompt has an n-th part of it.
    """
    before = [generator.ids(prompt) for prompt in prompts]
    lengths, shared = np.array([len(ids) for ids in before]), shared_start(before)
    read = _read(generator, lengths) - (len(before) - 1) * _read(generator, np.array([shared]))
    behind = [len(generator.ids(label)) - 1 for label in labels]  # a label's last token is not read
    read += sum(_read(generator, lengths + more) - _read(generator, lengths) for more in behind)
    return read / len(before) + (1 + sum(behind)) * _decided(generator)


def writing_operations(generator: Generator, prompts: Sequence[str], most_tokens: int) -> float:
    """Operations of `Generator.write`, mean of a prompt, where none ends before `most_tokens`."""
    lengths = np.array([len(generator.ids(prompt)) for prompt in prompts])
    return _read(generator, lengths + most_tokens - 1) / len(lengths) + most_tokens * _decided(generator)


def reranking_operations(model: PromptedReranker, users: np.ndarray, most: int = 20) -> float:
    """Operations of ordering a user's candidates anew, the first ranking aside; mean of some users.

    A prompt's last token, which is read again for each title, is counted once.
    """
    found = []
    for user in users[np.linspace(0, len(users) - 1, min(most, len(users))).astype(int)]:
        chosen = model.chosen(user, model.first.score(np.array([user]))[0])
        titles = continuations(model.generator, [model.titles[item] for item in chosen])
        asked = (question(model.asked(user)), NOTHING) if titles else ()
        found += [sum(label_operations(model.generator, [prompt], titles) for prompt in asked)]
    return float(np.mean(found))


def _read(generator: Generator, lengths: np.ndarray) -> float:
    """Operations of the layers for texts of these lengths; of the longer less the shorter is of the rest."""
    return useful_flops(generator.model.base_model, lengths) / 3  # which counts forward and backward


def _decided(generator: Generator) -> float:
    """Operations of one token's distribution over all words."""
    return 2.0 * generator.model.get_output_embeddings().weight.numel()
