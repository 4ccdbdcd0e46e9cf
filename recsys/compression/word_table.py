"""A static query encoder: a table of word-piece vectors that are summed, without a network.

The table starts from the teacher's vector of each single word piece (as in model2vec) and is then trained so
that sums approximate the teacher's vectors of whole texts. A second table of adjacent pairs, looked up by a
hash (as in fastText; Joulin et al. 2017, arXiv:1607.01759, section 2.2), captures some word order. Products
keep the teacher's vectors: only queries are encoded by the table.

v(text) = sum over its pieces i of words[i] + sum over its neighbours (i, j) of pairs[hash(i, j)]

Only the direction of v is used. The length of a row acts as the piece's weight (as inverse document frequency
would).

V: word pieces. P: rows of the table of pairs, 0 for none. D: width. K: pieces of a batch. B: texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import normalize

from recsys.compression.distillation import MAX_TOKENS, check_targets
from recsys.encoders.backbone import Backbone
from recsys.speed.artefact import words_of
from recsys.speed.encoder import Encoder
from recsys.speed.word_pieces import WordPieces, rows_of
from recsys.training.loop import train
from recsys.training.result import TrainingResult
from recsys.training.settings import TrainingSettings

FILE = "word_table.safetensors"
PAIRS = 1 << 16  # four times as many are hardly better on validation lists, and take 0.4 GB of memory
FIRST, SECOND = 1_000_003, 2_654_435_761  # odd, and far from 1 modulo any power of two (Knuth's hash)
START_PIECES = 1024  # of a batch

SETTINGS = TrainingSettings(
    # better on Home Depot's validation lists than 5 epochs at 3e-3; initial entries are about .05
    epochs=10,
    learning_rate=1e-3,
    schedule="linear",
    warmup_share=0.05,
    batch_size=256,
    length_buckets=False,
    clip_norm=None,
)


class WordTable:
    """An `Engine`: ragged ids and lengths -> sums of rows [B, D] float32.

    Args:
        words: [V, D] float32. pairs: [P, D] float32, P may be 0.
    """

    def __init__(self, words: np.ndarray, pairs: np.ndarray):
        if words.ndim != 2 or pairs.ndim != 2 or words.shape[1] != pairs.shape[1]:
            raise ValueError(
                f"words and pairs must be [V, D] and [P, D] of one width, "
                f"got {list(words.shape)} and {list(pairs.shape)}"
            )
        self.words, self.pairs = words, pairs

    def __call__(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        starts = np.cumsum(lengths) - lengths
        # every text has a piece, so no segment is empty (reduceat would return the next row for it)
        vectors = np.add.reduceat(self.words[ids], starts, axis=0)
        if len(self.pairs):
            places, texts = pair_places(ids, lengths, len(self.pairs))
            np.add.at(vectors, texts, self.pairs[places])
        return vectors

    def save(self, folder: Path | str) -> None:
        """Write `word_table.safetensors` in half precision: sums of rows lose less than .001 by it."""
        tables = {"words": self.words, "pairs": self.pairs}
        save_file({name: t.astype(np.float16) for name, t in tables.items()}, Path(folder) / FILE)

    @classmethod
    def load(cls, folder: Path | str) -> WordTable:
        """Load what `save` wrote."""
        tables = load_file(Path(folder) / FILE)
        return cls(tables["words"].astype(np.float32), tables["pairs"].astype(np.float32))


def pair_places(ids: np.ndarray, lengths: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Adjacent pieces within each text: their row in a table of `rows` rows, and their text's number.

    Args:
        ids: [K] int64. lengths: [B] int64, each at least 1.

    Returns:
        Two arrays [K − B] int64.
    """
    texts = np.repeat(np.arange(len(lengths)), lengths)
    within = texts[1:] == texts[:-1]
    # int64 cannot overflow: piece numbers are below 2^21, the factors below 2^32
    places = (ids[:-1] * FIRST + ids[1:] * SECOND) % rows
    return places[within], texts[1:][within]


class TrainableTable(nn.Module):
    """The tables as a trainable torch module.

    Args:
        words: [V, D] initial vectors; pairs start at 0.
        pairs: P.
    """

    def __init__(self, words: np.ndarray, pairs: int):
        super().__init__()
        self.words = nn.EmbeddingBag.from_pretrained(torch.tensor(words), freeze=False, mode="sum")
        empty = torch.zeros(pairs, words.shape[1])
        self.pairs = nn.EmbeddingBag.from_pretrained(empty, freeze=False, mode="sum") if pairs else None

    def forward(self, ids: Tensor, starts: Tensor, places: Tensor, pair_starts: Tensor) -> Tensor:
        """[B, D] sums; a text without neighbours has an empty bag, which is 0."""
        vectors = self.words(ids, starts)
        return vectors if self.pairs is None else vectors + self.pairs(places, pair_starts)

    def table(self) -> WordTable:
        """A `WordTable` with copies of the trained tables."""
        words = self.words.weight.detach().numpy().copy()
        pairs = words[:0] if self.pairs is None else self.pairs.weight.detach().numpy().copy()
        return WordTable(words, pairs)


class PieceTargets:
    """`Samples` of `recsys.training.train`: the pieces and adjacent pairs of texts, and their targets.

    Args:
        words: the tokenizer. texts: n strings. targets: [n, D] unit-length. pairs: P.
    """

    def __init__(self, words: WordPieces, texts: Sequence[str], targets: np.ndarray, pairs: int):
        self.ids, self.lengths = words(texts)
        self.targets, self.pairs = np.ascontiguousarray(targets, dtype=np.float32), pairs

    def __len__(self) -> int:
        return len(self.lengths)

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        """ids, starts, places, pair_starts as `TrainableTable` takes them, and targets [B, D]."""
        rows = np.asarray(indices)
        ids, lengths = rows_of(self.ids, self.lengths, rows), self.lengths[rows]
        places = pair_places(ids, lengths, self.pairs)[0] if self.pairs else ids[:0]
        starts, pair_starts = (np.cumsum(counts) - counts for counts in (lengths, lengths - 1))
        batch = {"ids": ids, "starts": starts, "places": places, "pair_starts": pair_starts}
        return {name: torch.from_numpy(a) for name, a in (batch | {"targets": self.targets[rows]}).items()}


def table_loss(model: TrainableTable, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
    """Sum of 1 - cosine over a batch of `PieceTargets`, and its number of texts: a `Loss` of `train`."""
    targets = batch["targets"]
    vectors = normalize(model(*(batch[name] for name in ("ids", "starts", "places", "pair_starts"))), dim=1)
    return (1 - (vectors * targets).sum(dim=1)).sum(), len(targets)


def first_table(backbone: Backbone) -> np.ndarray:
    """[V, D] float32: the teacher's unit-length vector of each piece as a text of its own.

    Rows of special pieces, which every text has, are 0. Takes about a core minute for MiniLM's pieces.
    """
    tokenizer = backbone.tokenizer
    special = set(tokenizer.all_special_ids)
    around = tokenizer("")["input_ids"]  # [CLS] and [SEP] in BERT
    before, after = around[: len(around) // 2], around[len(around) // 2 :]
    pieces = np.array([piece for piece in range(len(tokenizer)) if piece not in special])
    vectors = np.zeros((len(tokenizer), backbone.width), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(pieces), START_PIECES):
            rows = pieces[start : start + START_PIECES]
            ids = torch.tensor([[*before, piece, *after] for piece in rows.tolist()])
            vectors[rows] = normalize(backbone(ids, torch.ones_like(ids)), dim=1).numpy()
    return vectors


def train_word_table(
    backbone: Backbone,
    texts: Sequence[str],
    targets: np.ndarray,
    settings: TrainingSettings = SETTINGS,
    *,
    pairs: int = PAIRS,
    max_tokens: int = MAX_TOKENS,
    start: np.ndarray | None = None,
    progress: bool = True,
) -> tuple[WordTable, TrainingResult]:
    """Train a table whose sums have the direction of the teacher's vectors.

    Args:
        backbone: the teacher: its tokenizer, and its vectors of single pieces.
        texts: n strings: queries like those to be encoded, and titles, which contain more words.
        targets: [n, D] unit-length rows, of `embed_texts(teacher, texts, precision="fp32")`.
        settings: see `TrainingSettings`.
        pairs: rows of the table of neighbouring pieces, 0 for none.
        max_tokens: longer texts are cut.
        start: result of `first_table(backbone)`, if already computed.
        progress: show a bar.

    Raises:
        ValueError: targets that do not fit the texts or the teacher's width, or are not of length 1;
            pairs below 0; as `train`.
    """
    if pairs < 0:
        raise ValueError(f"pairs must be at least 0, got {pairs}")
    check_targets(texts, targets, backbone.width)
    samples = PieceTargets(words_of(backbone, max_tokens), texts, targets, pairs)
    model = TrainableTable(first_table(backbone) if start is None else start, pairs)
    result = train(model, samples, table_loss, settings, task="word table", progress=progress)
    return model.table(), result


def table_encoder(table: WordTable, words: WordPieces) -> Encoder:
    """The table as an `Encoder`, beside the tokenizer it was trained with."""
    return Encoder(table, words, table.words.shape[1], name="word table")
