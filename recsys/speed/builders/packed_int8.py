"""The packed encoder (`recsys.speed.engines.packed`) with some products in int8, the others in bfloat16.

Static quantisation: one scale per matrix of activations, calibrated on texts. Channels with large activations
are scaled down and their weights up (SmoothQuant with α = ½, Xiao et al. 2022, arXiv:2211.10438); dividing by
channel costs no more than dividing by one number. Weights are rounded by GPTQ, and the remaining mean shift
is added back to the bias (bias correction, Nagel et al. 2019, arXiv:1906.04721).

K: tokens of a batch. D: width.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from recsys.encoders.backbone import Backbone
from recsys.encoders.length_batches import length_batches
from recsys.speed.artefact import words_of
from recsys.speed.encoder import TOKEN_BUDGET, Engine
from recsys.speed.engines import packed
from recsys.speed.engines.packed import Dense, PackedBert
from recsys.speed.rounding.weights import LARGEST, round_weights
from recsys.speed.word_pieces import WordPieces, rows_of

TINY = 1e-6  # a channel that is always 0


class Watched:
    """A linear map that records statistics of its inputs: range and mean by channel, and the Gram matrix."""

    def __init__(self, dense: Dense):
        self.dense = dense
        # rounding keeps 0 exact, so a span holds it
        self.least, self.most, self.total, self.rows = torch.zeros(1), torch.zeros(1), 0.0, 0
        self.gram = 0.0

    def __call__(self, rows: Tensor, activation: str = "none") -> Tensor:
        self._note(rows)
        return self.dense(rows, activation)

    def plus(self, rows: Tensor, residual: Tensor) -> Tensor:
        self._note(rows)
        return self.dense.plus(rows, residual)

    def _note(self, rows: Tensor) -> None:
        self.least = torch.minimum(self.least, rows.amin(dim=0))
        self.most = torch.maximum(self.most, rows.amax(dim=0))
        self.total, self.rows = self.total + rows.sum(dim=0), self.rows + len(rows)
        self.gram = self.gram + (rows.T @ rows).double()


def build(backbone: Backbone, folder: Path, texts: Sequence[str], *, maps: Sequence[str]) -> None:
    """Write the weights: of the linear maps in `maps` in int8, of the others in bfloat16.

    Args:
        texts: for calibration, at least one.
        maps: some of `recsys.speed.engines.packed.MAPS`.

    Raises:
        ValueError: no text.
        NotForThisModel: the model is no BERT.
    """
    if not texts:
        raise ValueError("rounding activations needs texts to find their span on")
    exact = packed.packed_weights(backbone, torch.float32)
    weights = packed.packed_weights(backbone, torch.bfloat16)
    for prefix, seen in _watched(backbone, exact, texts, maps).items():
        weight = exact[f"{prefix}.weight"]
        reach = torch.maximum(-seen.least, seen.most)
        smooth = (reach.clamp(min=TINY) / weight.abs().amax(dim=0).clamp(min=TINY)).sqrt()
        scale = ((weight * smooth).abs().amax(dim=1) / LARGEST).clamp(min=TINY)
        gram = (seen.gram / (smooth[:, None] * smooth)).numpy()
        whole = round_weights((weight * smooth).T.numpy(), gram, scale.numpy())
        rounded = torch.from_numpy(whole).T.contiguous()
        lost = weight - rounded * scale[:, None] / smooth
        span = torch.stack([(seen.least / smooth).min(), (seen.most / smooth).max()])
        weights |= {
            f"{prefix}.weight": rounded,
            f"{prefix}.scale": scale,
            f"{prefix}.bias": exact[f"{prefix}.bias"] + lost @ (seen.total / seen.rows),
            f"{prefix}.smooth": smooth,
            f"{prefix}.span": span,
        }
    packed.save(folder, weights, packed.shape_of(backbone))


def load(folder: Path, words: WordPieces, *, maps: Sequence[str]) -> Engine:
    """The engine of weights that `build` wrote."""
    return PackedBert(*packed.read(folder))


def _watched(
    backbone: Backbone, weights: dict[str, Tensor], texts: Sequence[str], maps: Sequence[str]
) -> dict[str, Watched]:
    """Input statistics of each map, by the prefix of its weights' names."""
    engine = PackedBert(weights, packed.shape_of(backbone))
    found = {}
    for index, layer in enumerate(engine.layers):
        for name in maps:
            found[f"layer.{index}.{name}"] = Watched(getattr(layer, name))
            setattr(layer, name, found[f"layer.{index}.{name}"])
    ids, lengths = words_of(backbone)(texts)
    for rows in length_batches(lengths, token_budget=TOKEN_BUDGET):
        engine(rows_of(ids, lengths, rows), lengths[rows])
    return found
