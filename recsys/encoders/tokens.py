"""Texts as token ids, stored without padding; a batch is padded when it is taken.

n: texts. B: texts of a batch. T: tokens of the longest of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from recsys.encoders.backbone import Backbone

CHARACTERS_PER_TOKEN = 20  # bound on the characters that are read; English has about 5 per token
CHUNK = 4096  # texts at once: the tokenizer's own objects take a hundred times the memory of the ids


@dataclass(frozen=True)
class Tokens:
    """n texts of at least one token each.

    ids: flat int32, all texts one after the other, special tokens included.
    offsets: [n + 1] int64; text i is ids[offsets[i]:offsets[i + 1]].
    pad_id, padding_side: of the tokenizer, "left" or "right".
    """

    ids: np.ndarray
    offsets: np.ndarray
    pad_id: int
    padding_side: str

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """[n] int64 numbers of tokens, each at least 1."""
        return np.diff(self.offsets)

    def take(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Rows, padded to the longest of them: input_ids [B, T] and attention_mask [B, T], int64, on the CPU.

        Raises:
            IndexError: a row that is not there.
        """
        rows = np.asarray(indices, dtype=np.int64)
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows are 0 to {len(self) - 1}, got {rows.min()} to {rows.max()}")
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        longest = int(lengths.max(initial=0))
        places = np.arange(longest)
        shift = longest - lengths if self.padding_side == "left" else np.zeros_like(lengths)
        within = places[None, :] - shift[:, None]
        real = (within >= 0) & (within < lengths[:, None])
        padded = np.full((len(rows), longest), self.pad_id, dtype=np.int64)
        padded[real] = self.ids[(starts[:, None] + within)[real]]
        return torch.from_numpy(padded), torch.from_numpy(real.astype(np.int64))


def tokenise(
    backbone: Backbone, texts: Sequence[str], max_tokens: int = 128, keep: Literal["start", "end"] = "start"
) -> Tokens:
    """Token ids of texts, cut to `max_tokens` including the special tokens, which are always kept.

    Only the 20 × max_tokens characters at the kept end of a text are read, so that a text of any length costs
    about the same; a text with more than 20 characters per token keeps fewer than `max_tokens` tokens.
    Invalid code points (surrogate halves of an emoji) become "?". A text without any token ("" where no
    special tokens are added) becomes one eos token, else one pad token.

    Args:
        texts: n strings; "" is allowed.
        max_tokens: from the number of special tokens + 1 up to `backbone.max_tokens`.
        keep: which end of a text that is too long is kept.

    Raises:
        ValueError: a text that is not a string (None, NaN; the message names its row), `max_tokens` out of
            range, or `keep` any other value.

    Example:
        >>> from recsys.encoders.backbone import load_backbone
        >>> tokenise(load_backbone("random-bert"), ["red shoe", "blue"]).lengths.tolist()
        [4, 3]
    """
    if isinstance(texts, str):
        raise ValueError("texts must be a sequence of strings, not one string")
    if keep not in ("start", "end"):
        raise ValueError(f"keep must be 'start' or 'end', not {keep!r}")
    tokenizer = backbone.tokenizer
    least = tokenizer.num_special_tokens_to_add() + 1
    if not least <= max_tokens <= backbone.max_tokens:
        raise ValueError(
            f"max_tokens must be from {least} to {backbone.max_tokens} for {backbone.name}, got {max_tokens}"
        )
    filler = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.pad_token_id
    limit = CHARACTERS_PER_TOKEN * max_tokens
    kept = [_readable(text, row, limit, keep) for row, text in enumerate(texts)]
    flat, lengths = [], []
    side = tokenizer.truncation_side
    tokenizer.truncation_side = "right" if keep == "start" else "left"
    try:
        for start in range(0, len(kept), CHUNK):
            rows = tokenizer(
                kept[start : start + CHUNK],
                truncation=True,
                max_length=max_tokens,
                padding=False,
                return_attention_mask=False,
                return_token_type_ids=False,
            )["input_ids"]
            rows = [row or [filler] for row in rows]
            flat.append(np.concatenate([np.asarray(row, dtype=np.int32) for row in rows]))
            lengths += map(len, rows)
    finally:
        tokenizer.truncation_side = side
    ids = np.concatenate(flat) if flat else np.empty(0, dtype=np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
    return Tokens(ids, offsets, tokenizer.pad_token_id, tokenizer.padding_side)


def _readable(text: str, row: int, limit: int, keep: str) -> str:
    if not isinstance(text, str):
        raise ValueError(f"text {row} is {text!r}, a {type(text).__name__}: use '' for a missing text")
    text = text[:limit] if keep == "start" else text[-limit:]
    # the tokenizer (in Rust) accepts valid UTF-8 only
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
