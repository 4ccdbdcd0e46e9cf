"""Builders of the onnxruntime variants: one export, operator fusion, then a kind of quantisation.

All graphs take ids and mask [B, T] and give pooled vectors [B, D]; see `recsys.speed.onnx_export`.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx
from onnx import ModelProto
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions
from torch import Tensor

from recsys.encoders.backbone import Backbone
from recsys.encoders.length_batches import length_batches
from recsys.speed.artefact import words_of
from recsys.speed.builders.smoothing import maps_of, smoothed
from recsys.speed.engines.onnx import FILE
from recsys.speed.onnx_export import INPUTS, export_onnx
from recsys.speed.rounding.embedding_table import round_embedding
from recsys.speed.rounding.fake_quantisation import smoothing
from recsys.speed.rounding.int8_grid import divisors_of, on_grid
from recsys.speed.rounding.linear_maps import linear_maps, named
from recsys.speed.word_pieces import rows_of

CALIBRATION_TOKENS = 1024  # of a padded batch
BLOCK = 32  # inputs whose weights share a scale
INT8_ACTIVATIONS = 4  # onnxruntime's "accuracy level": activations rounded to int8, block by block


def fp32(backbone: Backbone, folder: Path, texts: Sequence[str]) -> None:
    """float32 with fused operators for attention, layer norms, and GELU with bias."""
    _save(fused(backbone), folder)


def int8_dynamic(
    backbone: Backbone,
    folder: Path,
    texts: Sequence[str],
    *,
    unrounded: Sequence[str] = (),
    embedding: str = "int8",
    smooth: float = 0.0,
    second_order: bool = False,
) -> None:
    """Dynamic int8 quantisation: activations are quantised at run time, one scale per matrix.

    Args:
        unrounded: parts of names of matrix products that stay float32, for instance "output/dense".
        embedding: how the embedding tables are stored, see `embedding_table.round_embedding`.
        smooth: share of the channels' range on `texts` that is moved into the weights first (SmoothQuant's
            α), see `recsys.speed.builders.smoothing`; 0: none. A backbone with divisors keeps its own.
        second_order: round the weights by the products' inputs on `texts` (GPTQ), see `int8_grid.on_grid`.
    """
    backbone, divisors = _prepared(backbone, texts, smooth, second_order)
    model = fused(backbone)
    if divisors:
        model = smoothed(model, backbone, divisors)
    _save(round_embedding(_dynamic(model, _named(model, unrounded)), embedding), folder)


def weights_8_bit(
    backbone: Backbone, folder: Path, texts: Sequence[str], *, block: int = BLOCK, embedding: str = "int8"
) -> None:
    """8-bit weights and activations (at run time), with a scale for each block of `block` inputs."""
    model = _blocks(fused(backbone, whole_attention=False), block, ())
    _save(round_embedding(model, embedding), folder)


def mixed(
    backbone: Backbone,
    folder: Path,
    texts: Sequence[str],
    *,
    blockwise: Sequence[str],
    block: int = BLOCK,
    smooth: float = 0.0,
    second_order: bool = False,
) -> None:
    """Some products with a scale per block, all others dynamic int8 with a scale per matrix.

    Args:
        blockwise: regular expressions of names of the maps quantised by block, see
            `fake_quantisation.fake_int8`.
        block: inputs that share a scale.
        smooth, second_order: see `int8_dynamic`; inputs of the blockwise maps are not divided.
    """
    by_block = named(linear_maps(backbone), blockwise)
    backbone, divisors = _prepared(backbone, texts, smooth, second_order, blockwise, block)
    model = fused(backbone)
    owners = maps_of(model, backbone)
    others = [node.name for node in model.graph.node if not by_block.issuperset(owners.get(node.name, [""]))]
    if divisors:
        model = smoothed(model, backbone, divisors)
    _save(round_embedding(_dynamic(_blocks(model, block, others), [])), folder)


def int8_static(
    backbone: Backbone,
    folder: Path,
    texts: Sequence[str],
    *,
    unrounded: Sequence[str] = (),
    smooth: bool = False,
) -> None:
    """Static int8 quantisation: the scales of the activations are calibrated on `texts`."""
    model = fused(backbone, whole_attention=False)
    with _file(model) as source, tempfile.TemporaryDirectory() as work, quiet_logs():
        target = Path(work) / "int8.onnx"
        quantize_static(
            source,
            target,
            _Batches(backbone, texts),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[*_named(model, unrounded), *_without_weights(model)],
            extra_options={"SmoothQuant": smooth},
        )
        model = onnx.load(target)
    _save(round_embedding(model), folder)


def fused(backbone: Backbone, whole_attention: bool = True) -> ModelProto:
    """The exported graph with onnxruntime's operator fusions for BERT, as far as they apply.

    Args:
        whole_attention: whether the projections are part of the attention operator; block-wise quantisation
            needs them as separate matrix products (False).
    """
    config = backbone.model.config
    options = FusionOptions("bert")
    options.use_multi_head_attention = not whole_attention
    options.enable_embed_layer_norm = False  # it would hide the table from `round_embedding`
    # see onnx_engine.SLOWER
    options.enable_skip_layer_norm = options.enable_bias_skip_layer_norm = False
    with tempfile.TemporaryDirectory() as work, quiet_logs():
        path = Path(work) / "model.onnx"
        export_onnx(backbone, path)
        kind = "gpt2" if backbone.kind == "decoder" else "bert"
        found = optimizer.optimize_model(
            str(path),
            model_type=kind,
            num_heads=config.num_attention_heads,
            hidden_size=config.hidden_size,
            opt_level=0,
            optimization_options=options if kind == "bert" else None,
        )
        found.save_model_to_file(str(path))  # which also declares the fused operators' domain
        model = onnx.load(path)
    if kind == "bert":
        _count_heads(model, config.hidden_size // config.num_attention_heads)
    return model


def _prepared(
    backbone: Backbone,
    texts: Sequence[str],
    smooth: float,
    second_order: bool,
    blockwise: Sequence[str] = (),
    block: int = BLOCK,
) -> tuple[Backbone, dict[str, Tensor]]:
    """The backbone to export, and the divisors of its maps' inputs (its own where it has any), without those
    of blockwise maps."""
    divisors = divisors_of(backbone) if smooth else {}
    if second_order and not divisors:
        backbone = on_grid(backbone, texts, smooth, blockwise, block)
        divisors = divisors_of(backbone)
    elif smooth and not divisors:
        divisors = smoothing(backbone, texts, smooth)
    by_block = named(linear_maps(backbone), blockwise) if divisors else ()
    return backbone, {name: divisor for name, divisor in divisors.items() if name not in by_block}


def _count_heads(model: ModelProto, head_width: int) -> None:
    """Set each attention's number of heads from its weights: the fusion writes the config's number, and a
    pruned layer has fewer."""
    columns = {entry.name: entry.dims[-1] for entry in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in ("Attention", "MultiHeadAttention"):
            bias = node.input[2 if node.op_type == "Attention" else 3]  # of query, key and value together
            told = next(a for a in node.attribute if a.name == "num_heads")
            told.i = columns[bias] // 3 // head_width


def _dynamic(model: ModelProto, exclude: Sequence[str]) -> ModelProto:
    """Matrix products and attention in int8, with one weight scale per output."""
    with _file(model) as source, tempfile.TemporaryDirectory() as work, quiet_logs():
        target = Path(work) / "int8.onnx"
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul", "Attention"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=list(exclude),
            # onnx does not know the shapes behind the fused operators; all that is rounded is float32
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return onnx.load(target)


def _blocks(model: ModelProto, block: int, exclude: Sequence[str]) -> ModelProto:
    """Matrix products with weights and activations in 8 bits, one scale per block."""
    with quiet_logs():
        rounder = MatMulNBitsQuantizer(
            model,
            bits=8,
            block_size=block,
            is_symmetric=True,
            accuracy_level=INT8_ACTIVATIONS,
            nodes_to_exclude=list(exclude),
        )
        rounder.process()
    return rounder.model.model


class _Batches(CalibrationDataReader):
    def __init__(self, backbone: Backbone, texts: Sequence[str]):
        words = words_of(backbone)
        ids, lengths = words(texts)
        batches = length_batches(lengths, token_budget=CALIBRATION_TOKENS)
        self._batches = iter([words.pad(rows_of(ids, lengths, rows), lengths[rows]) for rows in batches])

    def get_next(self) -> dict | None:
        batch = next(self._batches, None)
        return None if batch is None else dict(zip(INPUTS, batch, strict=True))


def _named(model: ModelProto, parts: Sequence[str]) -> list[str]:
    return [node.name for node in model.graph.node if any(part in node.name for part in parts)]


def _without_weights(model: ModelProto) -> list[str]:
    """Products of two activations (in pooling), which quantisation would only make less exact."""
    graph = model.graph
    constant = {entry.name for entry in graph.initializer}
    return [n.name for n in graph.node if n.op_type == "MatMul" and not constant & set(n.input)]


def _save(model: ModelProto, folder: Path) -> None:
    onnx.save(model, folder / FILE)


@contextmanager
def _file(model: ModelProto) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "model.onnx"
        onnx.save(model, path)
        yield path


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Context manager that silences the log lines per operator; errors are still raised."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)
