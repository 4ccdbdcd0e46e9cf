"""A BERT without padding ("packed"), in plain torch: the tokens of a batch's texts are concatenated.

Everything but attention works on single tokens, so it needs no padding. Attention is computed for runs of
texts of equal length, which are neighbours because batches are sorted: no padding and no mask (the idea of
ByteTransformer, arXiv:2210.03052, without its kernels). Matrix products are oneDNN's, with weights in its own
layout and bias, GELU or residual fused into them: the operators that torch.compile uses on a CPU.

K: tokens of a batch. B: texts. D: width. H: heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import layer_norm, scaled_dot_product_attention

from recsys.speed.engines.torch_threads import one_thread
from recsys.speed.packed_parts import BEHIND_ATTENTION, THIN, check_parts
from recsys.speed.variant import NotForThisModel

if TYPE_CHECKING:
    from recsys.encoders.backbone import Backbone
    from recsys.speed.encoder import Engine
    from recsys.speed.word_pieces import WordPieces

FILE = "packed.safetensors"
LAYOUT_ROWS = 2048  # number of tokens that a weight's layout is optimised for; others work too
SHORT = 64  # tokens: for shorter texts attention is faster as two batched products than as one operator
MAPS = ("qkv", "attention", "up", "down")  # the linear maps of a layer
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Shape:
    """Settings that the weights do not contain: width of a head, epsilon of the layer norms, pooling."""

    head_width: int
    epsilon: float
    pooling: str


class Dense:
    """x W' + b in oneDNN's layout, with GELU or a residual fused."""

    def __init__(self, weight: Tensor, bias: Tensor):
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), LAYOUT_ROWS)
        self.bias = bias.contiguous()

    def __call__(self, rows: Tensor, activation: str = "none") -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(rows, self.weight, self.bias, activation, [], "none")

    def plus(self, rows: Tensor, residual: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise.binary(rows, residual, self.weight, self.bias, "add")


class RoundedDense:
    """x W' + b in int8: weights with a scale per output, inputs with one calibrated scale and zero point.

    Args:
        weight: [out, in] int8. scale: [out]. bias: [out].
        smooth: [in], divisors of the inputs before quantisation; the weights are multiplied by them.
        span: [2], the smallest and largest entry of the divided inputs.
    """

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor, smooth: Tensor, span: Tensor):
        self.weight = torch.ops.onednn.qlinear_prepack(weight.contiguous(), [LAYOUT_ROWS, weight.shape[1]])
        self.scale, self.bias = scale.float().contiguous(), bias.float().contiguous()
        self.zeros = torch.zeros(len(scale), dtype=torch.int64)
        least, most = (float(end) for end in span)
        self.step = max(most - least, 1e-6) / 255
        self.zero = round(-least / self.step)
        self.divide = (1 / (smooth.float() * self.step)).contiguous()

    def __call__(self, rows: Tensor, activation: str = "none") -> Tensor:
        whole = (rows * self.divide).round_().add_(self.zero).clamp_(0, 255).to(torch.uint8)
        return torch.ops.onednn.qlinear_pointwise(
            whole, self.step, self.zero, self.weight, self.scale, self.zeros, self.bias,
            1.0, 0, rows.dtype, activation, [], "none",
        )  # fmt: skip

    def plus(self, rows: Tensor, residual: Tensor) -> Tensor:
        return self(rows).add_(residual)


class ThinDense:
    """A linear map of low rank as two maps, the first without bias (`recsys.compression.low_rank`)."""

    def __init__(self, first: Tensor, weight: Tensor, bias: Tensor):
        self.first, self.second = Dense(first, first.new_zeros(len(first))), Dense(weight, bias)

    def __call__(self, rows: Tensor, activation: str = "none") -> Tensor:
        return self.second(self.first(rows), activation)

    def plus(self, rows: Tensor, residual: Tensor) -> Tensor:
        return self.second.plus(self.first(rows), residual)


class Layer:
    """One post-norm Transformer layer on packed tokens."""

    def __init__(self, weights: Mapping[str, Tensor], shape: Shape):
        self.shape = shape
        self.qkv, self.attention, self.up, self.down = (_dense(_under(weights, f"{name}.")) for name in MAPS)
        self.norms = [(weights[f"norm{i}.weight"], weights[f"norm{i}.bias"]) for i in (1, 2)]

    def __call__(self, hidden: Tensor, runs: list[tuple[int, int]]) -> Tensor:
        """[K, D] -> [K, D]; runs of (texts, tokens of each)."""
        mixed = attend(self.qkv(hidden), runs, self.shape.head_width)
        hidden = norm(self.attention.plus(mixed, hidden), self.norms[0], self.shape.epsilon)
        inner = self.up(hidden, "gelu")
        return norm(self.down.plus(inner, hidden), self.norms[1], self.shape.epsilon)


class PackedBert:
    """A BERT encoder over the concatenated tokens of a batch, as an `Engine`.

    Args:
        weights: as `packed_weights` names them; the dtype of the layers' weights is the precision, and a map
            with a `scale` and a `span` is quantised (`recsys.speed.builders.packed_int8`).
        shape: heads, epsilon, pooling.
    """

    def __init__(self, weights: Mapping[str, Tensor], shape: Shape):
        self.words, self.positions = weights["words"], weights["positions"]
        self.norm = weights["norm.weight"], weights["norm.bias"]
        self.shape = shape
        count = len({name.split(".")[1] for name in weights if name.startswith("layer.")})
        self.layers = [Layer(_under(weights, f"layer.{index}."), shape) for index in range(count)]
        self.dtype = self.layers[0].norms[0][0].dtype

    def __call__(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        with one_thread(), torch.inference_mode():
            return self._pooled(ids, lengths)

    def _pooled(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        ends = np.cumsum(lengths)
        places = np.arange(len(ids)) - np.repeat(ends - lengths, lengths)
        embedded = (
            self.words[torch.from_numpy(ids)].float() + self.positions[torch.from_numpy(places)].float()
        )
        hidden = norm(embedded, self.norm, self.shape.epsilon).to(self.dtype)
        runs = runs_of(lengths)
        for layer in self.layers:
            hidden = layer(hidden, runs)
        return pool_packed(hidden, lengths, self.shape.pooling).numpy()


def norm(rows: Tensor, weights: tuple[Tensor, Tensor], epsilon: float) -> Tensor:
    """Layer normalisation of rows [K, D] with (weight, bias)."""
    return layer_norm(rows, (rows.shape[1],), *weights, epsilon)


def runs_of(lengths: np.ndarray) -> list[tuple[int, int]]:
    """Runs of neighbouring texts of equal length, as (number of texts, tokens of each).

    Example:
        >>> runs_of(np.array([5, 5, 3]))
        [(2, 5), (1, 3)]
    """
    starts = np.flatnonzero(np.r_[True, lengths[1:] != lengths[:-1]])
    counts = np.diff(np.r_[starts, len(lengths)])
    return [(int(count), int(lengths[start])) for start, count in zip(starts, counts, strict=True)]


def attend(qkv: Tensor, runs: list[tuple[int, int]], head_width: int) -> Tensor:
    """Attention within each text: [K, 3 H head_width] -> [K, H head_width]; a pruned layer has fewer H."""
    width = qkv.shape[1] // 3
    heads = width // head_width
    mixed = qkv.new_empty(len(qkv), width)
    start = 0
    for texts, tokens in runs:
        rows = slice(start, start + texts * tokens)
        query, key, value = qkv[rows].view(texts, tokens, 3, heads, -1).permute(2, 0, 3, 1, 4)
        attention = _short_attention if tokens <= SHORT else scaled_dot_product_attention
        found = attention(query, key, value)  # [texts, H, tokens, D / H]
        mixed[rows].view(texts, tokens, heads, -1).copy_(found.transpose(1, 2))
        start = rows.stop
    return mixed


def _short_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    texts, heads, tokens, width = query.shape
    query, key, value = (part.reshape(texts * heads, tokens, width) for part in (query, key, value))
    scores = torch.bmm(query * width**-0.5, key.transpose(1, 2))
    return torch.bmm(scores.softmax(dim=-1), value).view(texts, heads, tokens, width)


def pool_packed(hidden: Tensor, lengths: np.ndarray, pooling: str) -> Tensor:
    """Pooled vectors: hidden states [K, D] -> [B, D] float32."""
    counts = torch.from_numpy(lengths)
    if pooling == "mean":
        return torch.segment_reduce(hidden.float(), "mean", lengths=counts, axis=0)
    ends = counts.cumsum(0)
    return hidden[ends - counts if pooling == "cls" else ends - 1].float()


def packed_weights(backbone: Backbone, dtype: torch.dtype) -> dict[str, Tensor]:
    """The weights of a BERT under short names, with query, key and value in one matrix.

    The embeddings are words [V, D] and positions [P, D] (with token type 0 added).

    Raises:
        NotForThisModel: another architecture, or additional modules (adapters, unmerged LoRA).
    """
    check_bert(backbone)
    state = backbone.model.state_dict()
    check_parts(state, backbone.model.config.num_hidden_layers)
    embeddings = "embeddings."
    found = {
        "words": state[embeddings + "word_embeddings.weight"],
        "positions": state[embeddings + "position_embeddings.weight"]
        + state[embeddings + "token_type_embeddings.weight"][0],
    }
    for kind in ("weight", "bias"):
        found[f"norm.{kind}"] = state[f"{embeddings}LayerNorm.{kind}"].float()
        for index in range(backbone.model.config.num_hidden_layers):
            old, new = f"encoder.layer.{index}.", f"layer.{index}."
            parts = [state[f"{old}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            found[f"{new}qkv.{kind}"] = torch.cat(parts)
            found[f"{new}norm1.{kind}"] = state[f"{old}attention.output.LayerNorm.{kind}"]
            found[f"{new}norm2.{kind}"] = state[f"{old}output.LayerNorm.{kind}"]
    for index in range(backbone.model.config.num_hidden_layers):
        for name, old in BEHIND_ATTENTION.items():
            found |= {
                f"layer.{index}.{name}.{own}": state[f"encoder.layer.{index}.{old}.{theirs}"]
                for own, theirs in (*THIN.items(), ("weight", "weight"), ("bias", "bias"))
                if f"encoder.layer.{index}.{old}.{theirs}" in state
            }
    # the norm of the embeddings stays float32: it is applied before the precision is lowered
    keep = ("norm.weight", "norm.bias")
    return {name: (t if name in keep else t.to(dtype)).contiguous() for name, t in found.items()}


def check_bert(backbone: Backbone) -> None:
    """Raises NotForThisModel for anything but a BERT encoder with absolute positions and exact GELU."""
    config = backbone.model.config
    kind, activation = config.model_type, getattr(config, "hidden_act", None)
    if kind != "bert" or backbone.kind != "encoder" or activation != "gelu":
        raise NotForThisModel(
            f"packing is written for BERT encoders with GELU, not for {kind} ({activation})"
        )


def shape_of(backbone: Backbone) -> Shape:
    """The `Shape` of a BERT backbone."""
    attention = backbone.model.encoder.layer[0].attention.self
    return Shape(attention.attention_head_size, backbone.model.config.layer_norm_eps, backbone.pooling)


def build(backbone: Backbone, folder: Path, texts: list[str], *, precision: str) -> None:
    """Write the weights in a precision ("fp32" or "bf16"), and the shape."""
    save(folder, packed_weights(backbone, DTYPES[precision]), shape_of(backbone))


def load(folder: Path, words: WordPieces, *, precision: str) -> Engine:
    """The engine of weights that `build` wrote, in the same precision."""
    return PackedBert(*read(folder))


def save(folder: Path, weights: dict[str, Tensor], shape: Shape) -> None:
    """Write weights and shape into a folder."""
    save_file(weights, folder / FILE, metadata={key: str(value) for key, value in vars(shape).items()})


def read(folder: Path) -> tuple[dict[str, Tensor], Shape]:
    """Weights and shape of a folder that `save` wrote."""
    with safe_open(folder / FILE, framework="pt") as file:
        told = file.metadata()
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    return weights, Shape(int(told["head_width"]), float(told["epsilon"]), told["pooling"])


def _dense(weights: Mapping[str, Tensor]) -> Dense | RoundedDense | ThinDense:
    if "first" in weights:
        return ThinDense(**weights)
    return RoundedDense(**weights) if "scale" in weights else Dense(**weights)


def _under(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in weights.items() if name.startswith(prefix)}
