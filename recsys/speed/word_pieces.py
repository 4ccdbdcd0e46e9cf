"""Tokenisation without torch or transformers, for servers that only encode queries.

n: texts. K: tokens of all of them together. B: texts of a batch. T: tokens of its longest text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

FILE = "tokenizer.json"
SETTINGS = "word_pieces.json"
# characters of a text that are read, as in `recsys.encoders.tokens`: 20 million characters took 3.7 GB
CHARACTERS_PER_TOKEN = 20


class WordPieces:
    """The tokenizer of an artefact. Safe to call from several threads.

    Args:
        tokenizer: of the `tokenizers` package; its truncation is set here, its padding switched off.
        max_tokens: longer texts are cut after this many tokens, special tokens included.
        filler: token id that stands for a text without any token.
        pad_id, pad_left: how a batch is padded.
    """

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, filler: int, pad_id: int, pad_left: bool):
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens)
        self._tokenizer = tokenizer
        self.max_tokens = max_tokens
        self.filler = filler
        self.pad_id = pad_id
        self.pad_left = pad_left

    def __call__(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Ids [K] int64 of all texts one after the other, and lengths [n] int64, each at least 1.

        Raises:
            ValueError: a text that is not a string (None, NaN), naming its row.
        """
        check_texts(texts)
        most = CHARACTERS_PER_TOKEN * self.max_tokens
        readable = [_readable(text[:most]) for text in texts]
        if len(readable) == 1:  # a single query avoids the overhead of the batch's thread pool
            rows = [self._tokenizer.encode(readable[0]).ids or [self.filler]]
        else:
            rows = [found.ids or [self.filler] for found in self._tokenizer.encode_batch_fast(readable)]
        lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        ids = (
            np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
            if rows
            else np.empty(0, np.int64)
        )
        return ids, lengths

    def pad(self, ids: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ragged ids [K] and lengths [B] -> ids and mask (1 at real tokens), both [B, T] int64."""
        longest = int(lengths.max())
        if int(lengths.min()) == longest:
            shape = len(lengths), longest
            return ids.reshape(shape), np.ones(shape, dtype=np.int64)
        places = np.arange(longest)
        first = (longest - lengths)[:, None] if self.pad_left else 0
        real = (places >= first) & (places < first + lengths[:, None])
        padded = np.full(real.shape, self.pad_id, dtype=np.int64)
        padded[real] = ids
        return padded, real.astype(np.int64)

    def save(self, folder: Path) -> None:
        """Write the tokenizer and its settings: `load` reads them."""
        self._tokenizer.save(str(folder / FILE), pretty=False)
        settings = {key: getattr(self, key) for key in ("max_tokens", "filler", "pad_id", "pad_left")}
        (folder / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> WordPieces:
        """Load what `save` wrote."""
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        return cls(Tokenizer.from_file(str(folder / FILE)), **settings)


def rows_of(ids: np.ndarray, lengths: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The ids of some texts, one after the other in the order of `rows`.

    Args:
        ids: [K] of all texts. lengths: [n]. rows: [B] row numbers.
    """
    ends = np.cumsum(lengths)
    starts = (ends - lengths)[rows]
    wanted = lengths[rows]
    before = np.cumsum(wanted) - wanted
    return ids[np.repeat(starts - before, wanted) + np.arange(int(wanted.sum()))]


def check_texts(texts: Sequence[str]) -> None:
    """Raises ValueError for a text that is not a string (None, NaN), naming its row."""
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            shown = repr(text) if isinstance(text, (int, float, bool, type(None))) else "something"
            raise ValueError(f"text {row} is {shown}, a {type(text).__name__}: use '' for a missing text")


def _readable(text: str) -> str:
    # the tokenizer (in Rust) accepts valid UTF-8 only
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
