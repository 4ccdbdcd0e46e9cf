"""Embedding tables in 8 bits: half of a small encoder's file is its word embeddings.

V: words. D: width.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from recsys.speed.rounding.weights import LARGEST

LARGE = 100_000  # entries; smaller tables are not rounded
BLOCK = 64  # entries of a row that share a scale: half of the error of one scale a row, for 2 % more bytes
FLOAT = 1  # ONNX's number for float32


def round_embedding(model: ModelProto, to: Literal["int8", "fp16"] = "int8") -> ModelProto:
    """Round every large embedding table, in place: to int8 with a scale a block, or to half precision.

    Uses standard operators: a stored row is looked up and then converted to float32, so no float32 copy of
    the table ever exists.
    """
    graph = model.graph
    tables = {entry.name: entry for entry in graph.initializer}
    nodes = []
    for node in graph.node:
        table = tables.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or len(table.dims) != 2 or np.prod(table.dims) < LARGE:
            nodes.append(node)
            continue
        values = numpy_helper.to_array(table)  # [V, D]
        graph.initializer.remove(table)
        stored, made = _as_int8(values, node) if to == "int8" else _as_fp16(values, node)
        graph.initializer.extend(stored)
        nodes += made
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def _as_fp16(values: np.ndarray, lookup: NodeProto) -> tuple[list[TensorProto], list[NodeProto]]:
    table, ids, out = *lookup.input, lookup.output[0]
    stored = [numpy_helper.from_array(values.astype(np.float16), f"{table}_fp16")]
    made = [
        helper.make_node("Gather", [f"{table}_fp16", ids], [f"{out}_fp16"]),
        helper.make_node("Cast", [f"{out}_fp16"], [out], to=FLOAT),
    ]
    return stored, made


def _as_int8(values: np.ndarray, lookup: NodeProto) -> tuple[list[TensorProto], list[NodeProto]]:
    table, ids, out = *lookup.input, lookup.output[0]
    blocks = values.reshape(len(values), -1, block_of(values.shape[1]))
    scales = np.abs(blocks).max(axis=2, keepdims=True) / LARGEST
    scales = np.maximum(scales.astype(np.float16), np.finfo(np.float16).smallest_subnormal)
    whole = np.clip(np.round(blocks / scales.astype(np.float32)), -LARGEST, LARGEST)
    stored = [
        numpy_helper.from_array(whole.astype(np.int8), f"{table}_int8"),  # [V, blocks, block]
        numpy_helper.from_array(scales, f"{table}_scale"),
        numpy_helper.from_array(np.array([0, 0, -1]), f"{table}_shape"),  # [B, T, D]
    ]
    made = [
        helper.make_node("Gather", [f"{table}_int8", ids], [f"{out}_int8"]),
        helper.make_node("Cast", [f"{out}_int8"], [f"{out}_whole"], to=FLOAT),
        helper.make_node("Gather", [f"{table}_scale", ids], [f"{out}_half"]),
        helper.make_node("Cast", [f"{out}_half"], [f"{out}_scale"], to=FLOAT),
        helper.make_node("Mul", [f"{out}_whole", f"{out}_scale"], [f"{out}_blocks"]),
        helper.make_node("Reshape", [f"{out}_blocks", f"{table}_shape"], [out]),
    ]
    return stored, made


def block_of(width: int) -> int:
    """Entries that share a scale: 64, or the whole row where 64 does not divide it."""
    return BLOCK if width % BLOCK == 0 else width
