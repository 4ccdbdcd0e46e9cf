"""Weights of a rounded graph chosen anew, by what their products are multiplied with on texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from onnx import ModelProto, numpy_helper

from recsys.speed.onnx_products import inputs_seen, products
from recsys.speed.weight_rounding import round_weights


def with_second_order(
    rounded: ModelProto, model: ModelProto, batches: Iterable[Mapping[str, np.ndarray]]
) -> ModelProto:
    """See `recsys.speed.weight_rounding`; scales and graph stay as they are.

    Args:
        rounded: what onnxruntime's `quantize_dynamic` made of `model`; changed in place.
        model: float32. batches: inputs of the graph, for the products' inputs.
    """
    grams: dict[str, np.ndarray] = {}
    for name, rows in inputs_seen(model, batches):
        grams[name] = grams.get(name, 0) + rows.T @ rows.astype(np.float64)
    exact = {entry.name: entry for entry in model.graph.initializer}
    stored = {entry.name: entry for entry in rounded.graph.initializer}
    for node in products(model):
        weight = node.input[1]
        entry = stored.get(f"{weight}_quantized")
        if entry is None:  # a product that was left as it is
            continue
        scale = numpy_helper.to_array(stored[f"{weight}_scale"]).astype(np.float64)
        values = round_weights(numpy_helper.to_array(exact[weight]), grams[node.input[0]], scale)
        entry.CopyFrom(numpy_helper.from_array(values, entry.name))
    return rounded
