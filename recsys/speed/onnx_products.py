"""What the products of a graph are multiplied with, seen on texts.

N: tokens of a batch, padding included. D: inputs of a product.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import onnxruntime
from onnx import ModelProto, NodeProto, TensorProto, helper


def products(model: ModelProto) -> list[NodeProto]:
    """Matrix products and whole attentions whose second input is a weight."""
    weights = {entry.name for entry in model.graph.initializer}
    return [n for n in model.graph.node if n.op_type in ("MatMul", "Attention") and n.input[1] in weights]


def inputs_seen(
    model: ModelProto, batches: Iterable[Mapping[str, np.ndarray]]
) -> Iterator[tuple[str, np.ndarray]]:
    """The first inputs of all `products`, batch by batch.

    Args:
        model: float32. batches: inputs of the graph; at least one.

    Yields:
        Name of a tensor, its rows [N, D].

    Raises:
        ValueError: no batch.
    """
    names = sorted({node.input[0] for node in products(model)})
    seen = ModelProto()
    seen.CopyFrom(model)
    seen.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.log_severity_level = 1, 3
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(seen.SerializeToString(), settings, providers=providers)
    empty = True
    for batch in batches:
        empty = False
        for name, values in zip(names, session.run(names, dict(batch)), strict=True):
            yield name, values.reshape(-1, values.shape[-1])
    if empty:
        raise ValueError("rounding needs texts to see the products' inputs on")
