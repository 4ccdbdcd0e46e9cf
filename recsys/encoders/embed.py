"""Vectors of many texts at once.

n: texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch.nn.functional import normalize
from tqdm import tqdm

from recsys.encoders.backbone import Backbone
from recsys.encoders.length_batches import length_batches
from recsys.encoders.tokens import tokenise


def embed_texts(
    backbone: Backbone,
    texts: Sequence[str],
    *,
    max_tokens: int = 128,
    precision: Literal["bf16", "fp32"] = "bf16",
    token_budget: int = 8192,
    normalise: bool = True,
    progress: bool = False,
    keep: Literal["start", "end"] = "start",
) -> np.ndarray:
    """Encode texts on the backbone's device, without gradients and dropout (its mode is restored).

    Args:
        texts: n strings; equal ones are encoded once.
        max_tokens: longer texts are cut, see `recsys.encoders.tokens.tokenise`.
        precision: "bf16" for matrix products in bfloat16 (2 to 3 digits; a processor without bf16 units
            is faster with "fp32").
        token_budget: tokens of a padded batch, rows × longest; bounds the memory.
        normalise: scale the vectors to length 1.
        progress: show a progress bar on stderr.
        keep: which end of a text that is too long is kept.

    Returns:
        [n, width] float32, in the order of `texts`.

    Raises:
        ValueError: as `tokenise`; another precision; `token_budget` below 1.

    Example:
        >>> from recsys.encoders.backbone import load_backbone
        >>> embed_texts(load_backbone("minilm"), ["red shoe", "blue sock"]).shape
        (2, 384)
    """
    if precision not in ("bf16", "fp32"):
        raise ValueError(f"precision must be 'bf16' or 'fp32', not {precision!r}")
    texts = list(texts) if not isinstance(texts, str) else texts  # one string: tokenise says what is wrong
    first, rows = _distinct(texts)
    tokens = tokenise(backbone, first, max_tokens=max_tokens, keep=keep)
    vectors = np.empty((len(tokens), backbone.width), dtype=np.float32)
    device = next(backbone.parameters()).device
    # each module's own flag: part of a backbone may be in eval mode inside a model that is in training mode
    modes = {module: module.training for module in backbone.modules()}
    backbone.eval()
    bar = tqdm(total=len(tokens), unit="text", disable=not progress)
    try:
        with (
            torch.inference_mode(),
            torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"),
        ):
            for batch in length_batches(tokens.lengths, token_budget=token_budget):
                ids, mask = tokens.take(batch)
                pooled = backbone(ids.to(device), mask.to(device)).float()
                if normalise:
                    pooled = normalize(pooled, dim=1)
                vectors[batch] = pooled.cpu().numpy()
                bar.update(len(batch))
    finally:
        bar.close()
        for module, mode in modes.items():
            module.training = mode
    return vectors[rows]


def _distinct(texts: Sequence[str]) -> tuple[Sequence[str], np.ndarray]:
    """Distinct texts in order of appearance, and for each of n texts its place among them."""
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        return texts, np.arange(len(texts))  # tokenise names the row that is wrong
    places: dict[str, int] = {}
    rows = np.fromiter(
        (places.setdefault(text, len(places)) for text in texts), dtype=np.int64, count=len(texts)
    )
    return list(places), rows
