"""Positive pairs of texts, and the contrastive loss that trains a backbone on them.

n: pairs. B: pairs of a batch. T: tokens of the longest text of one side of a batch. D: width.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from recsys.data.histories import Histories
from recsys.encoders.backbone import Backbone
from recsys.encoders.length_batches import length_batches
from recsys.encoders.tokens import tokenise
from recsys.losses.contrastive import in_batch_softmax

SIDES = ("left", "right")
PARTS = {"cpu": 512, "gpu": 16384}  # padded tokens that are encoded together


class TextPairs:
    """`Samples` of `recsys.training.train`: pair i is left[i] and right[i].

    Args:
        backbone: whose tokenizer is used.
        left, right: n strings each.
        max_tokens: longer texts are cut, see `recsys.encoders.tokens.tokenise`.

    Raises:
        ValueError: sides of different lengths; as `tokenise`.

    Attributes:
        lengths: [n] tokens of both texts of a pair together.
    """

    def __init__(self, backbone: Backbone, left: Sequence[str], right: Sequence[str], max_tokens: int = 64):
        if len(left) != len(right):
            raise ValueError(f"{len(left)} left texts and {len(right)} right ones: a pair has both")
        self.tokens = tuple(tokenise(backbone, texts, max_tokens=max_tokens) for texts in (left, right))
        self.lengths = sum(tokens.lengths for tokens in self.tokens)

    def __len__(self) -> int:
        return len(self.lengths)

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        """left_input_ids, left_attention_mask [B, T] int64, and the same for right, with a T of its own."""
        batch = {}
        for side, tokens in zip(SIDES, self.tokens, strict=True):
            batch[f"{side}_input_ids"], batch[f"{side}_attention_mask"] = tokens.take(indices)
        return batch


def title_pairs(
    histories: Histories, titles: Sequence[str | None], limit: int | None = None, seed: int = 0
) -> tuple[list[str], list[str]]:
    """Titles of consecutive purchases in one user's history: what was bought, and what next.

    Left out: items without a title, and pairs of two equal titles, from which nothing can be learned.

    Args:
        histories: of n_users users.
        titles: of each item code; None, NaN or "" where there is none.
        limit: most pairs, drawn without replacement; None takes all.
        seed: of the draw and of the order.

    Returns:
        Left and right titles, n each, in random order.

    Raises:
        ValueError: an item without an entry in `titles`; limit below 1.

    Example:
        >>> from recsys.data.histories import Histories
        >>> known = Histories(items=np.array([0, 1, 0]), starts=np.array([0, 2, 3]))  # users (0, 1) and (0,)
        >>> title_pairs(known, ["kettle", "mug"])
        (['kettle'], ['mug'])
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    items, starts = histories.items, histories.starts
    if len(items) and items.max() >= len(titles):
        raise ValueError(f"histories hold item {items.max()}, but there are {len(titles)} titles")
    follows = np.ones(max(len(items) - 1, 0), dtype=bool)
    borders = starts[1:-1]
    follows[borders[(borders > 0) & (borders < len(items))] - 1] = False  # the next one is another user's
    known = np.array([isinstance(title, str) and title != "" for title in titles], dtype=bool)
    first, second = items[:-1][follows], items[1:][follows]
    kept = known[first] & known[second]
    kept[kept] = [titles[a] != titles[b] for a, b in zip(first[kept], second[kept], strict=True)]
    places = np.random.default_rng(seed).permutation(np.flatnonzero(kept))[:limit]
    return [titles[item] for item in first[places]], [titles[item] for item in second[places]]


def contrastive_loss(model: Backbone, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
    """In-batch softmax of a batch of `TextPairs`, and its number of pairs: a `Loss` of `train`."""
    ids = [batch[f"{side}_input_ids"] for side in SIDES]
    masks = [batch[f"{side}_attention_mask"] for side in SIDES]
    left, right = encode_by_length(model, ids, masks)
    return in_batch_softmax(left, right), len(left)


def encode_by_length(
    model: Backbone, ids: Sequence[Tensor], masks: Sequence[Tensor], part: int | None = None
) -> list[Tensor]:
    """Vectors of several batches of texts, all encoded together in parts of similar length.

    The vectors are those of one pass for each batch, up to rounding and dropout. But each part is padded only
    to its own longest text: of 64 Beauty titles, 19 tokens long on average, one usually has 64, and 70 % of
    a batch padded as a whole is padding. The batches keep their members, so that, unlike `length_buckets`,
    this does not change an in-batch loss.

    Args:
        ids, masks: one [B, T] for each batch, with B and T of its own; padded on the tokenizer's side.
        part: padded tokens of a part, rows × longest, ≥ 1. None: 512 on a CPU, where fewer would slow down
            the matrix products; 16384 elsewhere, where small passes are dominated by launch overhead.

    Returns:
        One [B, D] for each batch.
    """
    if part is None:
        part = PARTS["cpu"] if ids[0].device.type == "cpu" else PARTS["gpu"]
    left = model.tokenizer.padding_side == "left"
    longest = max(table.shape[1] for table in ids)

    def joined(tables: Sequence[Tensor]) -> Tensor:
        missing = [longest - table.shape[1] for table in tables]
        return torch.cat([pad(t, (m, 0) if left else (0, m)) for t, m in zip(tables, missing, strict=True)])

    all_ids, all_masks = joined(ids), joined(masks)
    lengths = (all_masks != 0).sum(dim=1).cpu().numpy()
    parts = length_batches(lengths, token_budget=part)
    vectors = []
    for rows in parts:
        kept = slice(longest - int(lengths[rows[0]]), None) if left else slice(int(lengths[rows[0]]))
        chosen = torch.from_numpy(rows).to(all_ids.device)
        vectors.append(model(all_ids[chosen, kept], all_masks[chosen, kept]))
    places = torch.from_numpy(np.argsort(np.concatenate(parts))).to(all_ids.device)
    return list(torch.cat(vectors)[places].split([len(table) for table in ids]))
