"""Runs the programs printed in the articles on a small random BERT, and says how each call ends.

B: texts. T: tokens. M: classes, that is products.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import BertForSequenceClassification, PreTrainedTokenizerBase

from recsys.encoders.model_folders import first_line
from recsys.encoders.random_models import random_config, random_tokenizer

B, M, T = 16, 6, 128  # B and T as printed


@dataclass(frozen=True)
class Finding:
    """Result of one demonstration.

    Attributes:
        what_happens: the exception, or what was observed instead.
        is_wrong: whether it is an error with today's libraries.
        mended_works: whether the corrected form ran and did what it should.
    """

    what_happens: str
    is_wrong: bool
    mended_works: bool


@dataclass(frozen=True)
class Bench:
    """What the demonstrations share. device: stands for the GPU; torch's "meta" has shapes but no values."""

    device: torch.device
    tokenizer: PreTrainedTokenizerBase = field(default_factory=lambda: random_tokenizer("random-bert"))

    def model(self, classes: int = M, problem: str | None = None) -> BertForSequenceClassification:
        """A small classifier with random weights (seed 0), in eval mode, on the CPU."""
        config = random_config("random-bert", self.tokenizer)
        config.num_labels, config.problem_type = classes, problem
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return BertForSequenceClassification(config).eval()

    def batch(self, *texts: list[str], padding: bool | str = True) -> dict[str, Tensor]:
        """input_ids and attention_mask [B, T] of texts, or of pairs of texts; padded to the longest."""
        rows = self.tokenizer(*texts, padding=padding, truncation=True, max_length=T, return_tensors="pt")
        return {name: rows[name] for name in ("input_ids", "attention_mask")}


def second_device() -> str:
    """ "cuda" where there is one, else "meta"."""
    return "cuda" if torch.cuda.is_available() else "meta"


def said(call: Callable[[], object]) -> str | None:
    """Call it and return "Type: first line" of its exception, without local paths; None if none is raised."""
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {re.sub(r' [(]/[^)]*[)]', '', first_line(error))}"
    return None


def works(call: Callable[[], object]) -> bool:
    """Whether the call succeeds and returns something true."""
    try:
        return bool(call())
    except Exception:
        return False
