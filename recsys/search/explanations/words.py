"""Which words of a query or a title made their cosine: by leaving them out, and by integrated gradients.

Occlusion asks what the cosine would be without a word; two words that say the same cover for each other, and
each looks unimportant. Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365) share out the way
from a text of padding to the text itself; their sum has to be the difference of the two cosines, which is
checked here. Written out, because Captum would be a dependency for twenty lines, and its layer hooks do not
know this kit's pooling.

n: words, divided by blanks. T: word pieces. D: width. Cosines are of float32 vectors.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import normalize

from recsys.encoders.backbone import OWN, Backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.pooling import pool
from recsys.encoders.tokens import tokenise
from recsys.search.bi_encoder import QUERY_TOKENS, TITLE_TOKENS
from recsys.search.errors import SearchError

Side = Literal["title", "query"]
TOKENS = {"query": QUERY_TOKENS, "title": TITLE_TOKENS}
STEPS, TOLERANCE = 32, 0.01


@dataclass(frozen=True)
class Attribution:
    """words: n rows, word and share (of the cosine, positive: raises it). score: cosine of the pair.

    baseline: cosine with a text of the baseline's embeddings. residual: |Σ share − (score − baseline)|, what
    the numerical integral missed.
    """

    words: pd.DataFrame
    score: float
    baseline: float
    residual: float


def words_of(text: str) -> list[str]:
    """The n words of a text, divided by blanks.

    Raises:
        SearchError: no word.
    """
    if not (found := text.split()):
        raise SearchError(f"{text!r:.60} has no word to explain")
    return found


def cosines(backbone: Backbone, query: str, title: str, side: Side, texts: list[str]) -> np.ndarray:
    """[m] cosines where one side of the pair is replaced by each of m texts.

    Raises:
        SearchError: another side.
    """
    other, name = _other(query, title, side)
    kept = embed_texts(backbone, [other], max_tokens=TOKENS[name], precision="fp32")
    changed = embed_texts(backbone, texts, max_tokens=TOKENS[side], precision="fp32")
    return changed @ kept[0]


def occluded(backbone: Backbone, query: str, title: str, side: Side = "title") -> pd.DataFrame:
    """What each word adds to the cosine: cosine of the pair minus the cosine without the word.

    Args:
        side: whose words are left out, one at a time.

    Returns:
        n rows in the text's order: word, share (a difference of cosines; positive: the word raises it).

    Raises:
        SearchError: a side without words, or another side.

    Example:
        >>> from recsys.encoders.backbone import load_backbone
        >>> occluded(load_backbone("minilm"), "desk lamp", "Red lamp")["word"].tolist()
        ['Red', 'lamp']
    """
    _other(query, title, side)
    words = words_of(title if side == "title" else query)
    without = [" ".join(words[:i] + words[i + 1 :]) for i in range(len(words))]
    found = cosines(backbone, query, title, side, [" ".join(words), *without])
    return pd.DataFrame({"word": words, "share": found[0] - found[1:]})


def integrated_gradients(
    backbone: Backbone,
    query: str,
    title: str,
    side: Side = "title",
    baseline: Literal["padding", "unknown"] = "padding",
    steps: int = STEPS,
    tolerance: float = TOLERANCE,
) -> Attribution:
    """Shares of a text's words in the cosine, by gradients along the word pieces' embeddings.

    Args:
        side: whose words are explained; the other side's vector is fixed.
        baseline: the piece whose embedding stands for every word at the start. Special tokens stay.
        steps: points of Gauss and Legendre's quadrature at which the gradient is taken.
        tolerance: largest residual, in units of the cosine.

    Returns:
        Shares by word; words behind the last piece that the encoder reads have share 0.

    Raises:
        SearchError: a side without words, another side or baseline, a model that takes no embeddings, a
            tokenizer without places, or a residual above the tolerance.

    Example:
        >>> from recsys.encoders.backbone import load_backbone
        >>> found = integrated_gradients(load_backbone("minilm"), "desk lamp", "Red lamp")
        >>> found.words["share"].idxmax(), found.residual < 0.01
        (1, True)
    """
    other, name = _other(query, title, side)
    words = words_of(title if side == "title" else query)
    ids, word = _pieces(backbone, words, TOKENS[side])
    start = {"padding": backbone.tokenizer.pad_token_id, "unknown": backbone.tokenizer.unk_token_id}
    if start.get(baseline) is None:
        raise SearchError(f"the tokenizer of {backbone.name} has no piece for baseline {baseline!r}")
    if steps < 1:
        raise SearchError(f"steps must be 1 or more, got {steps}")
    kept = embed_texts(backbone, [other], max_tokens=TOKENS[name], precision="fp32")
    empty = torch.where(torch.from_numpy(word >= 0), start[baseline], ids)
    table = backbone.model.get_input_embeddings()
    device = next(backbone.parameters()).device
    target = torch.from_numpy(kept[0]).to(device)
    modes = {module: module.training for module in backbone.modules()}
    backbone.eval()  # dropout would make every step another function
    try:
        with torch.no_grad():
            first, last = table(empty.to(device)), table(ids.to(device))
            low, high = _cosine(backbone, torch.stack([first, last]), target).tolist()
        places, weights = (torch.from_numpy(own).float() for own in np.polynomial.legendre.leggauss(steps))
        along = ((places + 1) / 2).to(device)[:, None, None]
        points = (first + along * (last - first)).requires_grad_()
        (slopes,) = torch.autograd.grad(_cosine(backbone, points, target).sum(), points)
        mean = (weights.to(device)[:, None, None] / 2 * slopes).sum(0)
        by_piece = ((last - first) * mean).sum(1).double().cpu().numpy()
    finally:
        for module, mode in modes.items():
            module.training = mode
    residual = abs(float(by_piece.sum()) - (high - low))
    if not residual <= tolerance:
        raise SearchError(
            f"shares miss the difference of the cosines by {residual:.2g}, more than {tolerance:.2g}: "
            f"take more steps than {steps}"
        )
    share = np.bincount(word[word >= 0], by_piece[word >= 0], len(words))
    return Attribution(pd.DataFrame({"word": words, "share": share}), high, low, residual)


def _other(query: str, title: str, side: str) -> tuple[str, str]:
    """Text and name of the side that stays."""
    if side not in TOKENS:
        raise SearchError(f"side is title or query, not {side!r}")
    return (query, "query") if side == "title" else (title, "title")


def _pieces(backbone: Backbone, words: list[str], tokens: int) -> tuple[Tensor, np.ndarray]:
    """[T] ids as the encoder reads them, and the number of each one's word, −1 for special tokens."""
    accepted = inspect.signature(backbone.model.forward).parameters
    if backbone.pooling == OWN or "inputs_embeds" not in accepted or not backbone.tokenizer.is_fast:
        raise SearchError(f"{backbone.name} shows no gradients of its word pieces: use occlusion")
    text = " ".join(words)
    ids = tokenise(backbone, [text], max_tokens=tokens).take([0])[0][0]
    found = backbone.tokenizer(
        text, truncation=True, max_length=tokens, return_offsets_mapping=True, return_special_tokens_mask=True
    )
    if found["input_ids"] != ids.tolist():
        raise SearchError(f"{text!r:.60} is longer than the encoder reads: shorten it")
    ends = np.array([match.end() for match in re.finditer(r"\S+", text)])
    # by the end of a piece: some tokenizers count the blank before a word to its first piece
    word = np.searchsorted(ends, [end for _, end in found["offset_mapping"]])
    return ids, np.where(np.array(found["special_tokens_mask"]) == 1, -1, word)


def _cosine(backbone: Backbone, embeddings: Tensor, target: Tensor) -> Tensor:
    """[S, T, D] embeddings of pieces -> [S] cosines with a unit vector."""
    mask = torch.ones(embeddings.shape[:2], dtype=torch.int64, device=embeddings.device)
    hidden = backbone.model(inputs_embeds=embeddings, attention_mask=mask).last_hidden_state
    return normalize(pool(hidden, mask, backbone.pooling), dim=1) @ target
