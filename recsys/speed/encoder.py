"""The encoder that `fast_encoder` returns: `encode` as in sentence-transformers, around any engine.

n: texts. K: tokens of a batch. B: texts of a batch. D: width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from recsys.encoders.length_batches import length_batches
from recsys.speed.word_pieces import WordPieces, check_texts, rows_of

if TYPE_CHECKING:
    from torch import Tensor

# Ragged ids [K] int64 and lengths [B] int64, each at least 1 -> pooled vectors [B, D] float32, unnormalised.
# Rows are sorted longest first. Safe to call from several threads.
Engine = Callable[[np.ndarray, np.ndarray], np.ndarray]
TOKEN_BUDGET = 2048  # keeps a batch's activations in a core's cache: larger batches are slower
SMALLEST_NORM = 1e-12  # as torch.nn.functional.normalize


class Encoder:
    """Encodes texts with an engine. Safe to call from several threads at once.

    Args:
        engine: see `Engine`.
        words: the tokenizer.
        width: D.
        unit_length: vectors have length 1 by default (`encode` can override it).
        workers: batches computed in parallel, each by one thread: no thread waits for another within a
            matrix product, so two cores do nearly twice the work. The engine uses one thread a call.
        token_budget: tokens of a padded batch, rows × longest.
        one_at_a_time: each text is a batch of its own, whatever `batch_size` is: for engines that quantise
            with one scale per batch, where a text's vector would depend on its batch.
        name: shown by repr.
    """

    def __init__(
        self,
        engine: Engine,
        words: WordPieces,
        width: int,
        *,
        unit_length: bool = True,
        workers: int = 1,
        token_budget: int = TOKEN_BUDGET,
        one_at_a_time: bool = False,
        name: str = "encoder",
    ):
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        self.engine = engine
        self.words = words
        self.width = width
        self.unit_length = unit_length
        self.workers = workers
        self.token_budget = token_budget
        self.one_at_a_time = one_at_a_time
        self.name = name

    def __repr__(self) -> str:
        return f"Encoder({self.name!r}, width={self.width}, max_tokens={self.words.max_tokens})"

    @property
    def max_seq_length(self) -> int:
        """The longest text in tokens; longer ones are cut."""
        return self.words.max_tokens

    def get_embedding_dimension(self) -> int:
        """Width of the vectors, D."""
        return self.width

    get_sentence_embedding_dimension = get_embedding_dimension  # sentence-transformers' older name

    def encode(
        self,
        sentences: str | Sequence[str],
        *,
        batch_size: int | None = None,
        show_progress_bar: bool | None = None,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        normalize_embeddings: bool | None = None,
        truncate_dim: int | None = None,
    ) -> np.ndarray | Tensor | list[Tensor]:
        """Vectors of texts, in their order. Equal texts are encoded once.

        The arguments are sentence-transformers', and `None` means this encoder's own default.

        Args:
            sentences: n strings, "" allowed, or one string.
            batch_size: rows of a batch; None limits batches by tokens instead, which is faster. An encoder
                with `one_at_a_time` has batches of one.
            show_progress_bar: show a progress bar on stderr.
            convert_to_numpy: False, and no `convert_to_tensor`: a list of n tensors [D].
            convert_to_tensor: one tensor on the CPU.
            normalize_embeddings: scale to length 1; False keeps the model's own vectors, which have length 1
                where the model itself normalises.
            truncate_dim: keep only the first dimensions, this many (and normalise these).

        Returns:
            [n, D] float32; [D] for one string.

        Raises:
            ValueError: a text that is not a string; `batch_size` or `truncate_dim` out of range.
        """
        single = isinstance(sentences, str)
        if truncate_dim is not None and not 1 <= truncate_dim <= self.width:
            raise ValueError(f"truncate_dim must be from 1 to {self.width}, got {truncate_dim}")
        vectors = self._pooled([sentences] if single else sentences, batch_size, bool(show_progress_bar))
        if truncate_dim is not None:
            vectors = vectors[:, :truncate_dim]
        if self.unit_length if normalize_embeddings is None else normalize_embeddings or self.unit_length:
            vectors = unit(vectors)
        if single:
            vectors = vectors[0]
        if not (convert_to_tensor or not convert_to_numpy):
            return vectors
        import torch  # only for those who ask for tensors

        found = torch.from_numpy(vectors)
        return found if convert_to_tensor or single else list(found)

    def _pooled(self, texts: Sequence[str], batch_size: int | None, progress: bool) -> np.ndarray:
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if len(texts) == 1:
            return self.engine(*self.words(texts))
        check_texts(texts)
        places: dict[str, int] = {}
        rows = np.fromiter((places.setdefault(text, len(places)) for text in texts), np.int64, len(texts))
        ids, lengths = self.words(list(places))
        batch_size = 1 if self.one_at_a_time else batch_size
        sizes = {"token_budget": self.token_budget} if batch_size is None else {"batch_size": batch_size}
        batches = length_batches(lengths, **sizes)
        vectors = np.empty((len(places), self.width), dtype=np.float32)
        bar = tqdm(total=len(places), unit="text", disable=not progress)

        def one(batch: np.ndarray) -> None:
            vectors[batch] = self.engine(rows_of(ids, lengths, batch), lengths[batch])
            bar.update(len(batch))

        try:
            if self.workers == 1 or len(batches) == 1:
                for batch in batches:
                    one(batch)
            else:
                with ThreadPoolExecutor(self.workers) as pool:
                    list(pool.map(one, batches))  # list: an error in a worker is raised here
        finally:
            bar.close()
        return vectors[rows]


def unit(vectors: np.ndarray) -> np.ndarray:
    """[n, D] rows of length 1; a row of zeros stays."""
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    return vectors / np.maximum(lengths, SMALLEST_NORM)[:, None]
