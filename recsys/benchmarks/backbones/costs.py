"""What an answer costs: parameters, and operations of reading texts or prompts."""

from __future__ import annotations

from typing import Any

import pandas as pd

from recsys.benchmarks.backbones.prompt_operations import (
    label_operations,
    reranking_operations,
    writing_operations,
)
from recsys.benchmarks.training.flops import useful_flops
from recsys.encoders.backbone import Backbone
from recsys.encoders.packaged import use_network
from recsys.encoders.tokens import tokenise
from recsys.models.next_item.evaluation import with_known_history
from recsys.models.prompting.classifier import PromptedClassifier
from recsys.models.prompting.ranking import PromptedReranker
from recsys.models.tuning.comparison import WORDS
from recsys.models.tuning.task import TunedTask


def sizes(
    backbone: Backbone, texts: list[str], max_tokens: int = 64, texts_each: int = 1
) -> dict[str, float]:
    """Size of a model, and cost of an answer that needs the vectors of `texts_each` texts.

    Returns:
        parameters; parameters_without_words: without embedding tables, which mislead; tokens, mflops: means
        of an answer, 10⁶ floating-point operations, without padding.
    """
    lengths, model = tokenise(backbone, texts, max_tokens=max_tokens).lengths, backbone.model
    rest = sum(p.numel() for p in backbone.parameters())
    if backbone.frozen:  # its table is in 8 bits, so no parameter
        table, flops = model.table.numel(), use_network.flops(model, lengths)
    else:
        table = model.get_input_embeddings().weight.numel()
        rest -= table
        flops = useful_flops(backbone, lengths) / 3  # which counts forward and backward
    return {
        "parameters": float(rest + table),
        "parameters_without_words": float(rest),
        "tokens": texts_each * float(lengths.mean()),
        "mflops": texts_each * flops / len(lengths) / 1e6,
    }


def instead_of_sizes(
    task: TunedTask, model: Any, method: str, positions: pd.DataFrame | None
) -> dict[str, float]:
    """Costs of an answer where they are not those of an encoder that reads its texts once, else nothing.

    positions: of the test's users, for a model that orders a shop's products.
    """
    if method in ("trivial", WORDS):
        return dict.fromkeys(("parameters", "parameters_without_words", "tokens", "mflops"), 0.0)
    if isinstance(model, PromptedClassifier):
        prompts = model.prompts(task.task.test)
        if model.writes:
            work = writing_operations(model.generator, prompts, model.most_tokens)
        else:
            work = label_operations(model.generator, prompts, model.prompt.answers)
        return {"mflops": work / 1e6, "answered_share": model.answered_share}
    if isinstance(model, PromptedReranker):
        asked = with_known_history(model, task.data)
        return {"mflops": reranking_operations(asked, positions["user"].unique()) / 1e6}
    return {}
