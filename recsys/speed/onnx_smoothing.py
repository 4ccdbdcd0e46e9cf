"""Inputs of products divided channel by channel before they are rounded: one scale then serves all of them.

SmoothQuant (Xiao et al. 2022, arXiv:2211.10438) folds the division into the layer norm before. In a post-norm
Transformer the norm's output is the residual too, and behind a GELU nothing can be folded, so here it is an
operator of its own: one pass over [B, T, D], small beside the product. onnxruntime's own SmoothQuant serves
static scales only.

D: inputs of a product.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from recsys.speed.fake_quantisation import channel_scale
from recsys.speed.onnx_products import inputs_seen, products


def smoothed(model: ModelProto, batches: Iterable[Mapping[str, np.ndarray]], share: float) -> ModelProto:
    """Divide the inputs of products by channel and multiply their weights: the outputs stay the same.

    Args:
        model: float32, of `recsys.speed.onnx_build.fused`; changed in place.
        batches: inputs of the graph, for the reach of each channel: the largest magnitude seen.
        share: of the reach that goes over to the weights, 0 to 1; see `fake_quantisation.smoothing`.
    """
    weights = {entry.name: entry for entry in model.graph.initializer}
    reach: dict[str, np.ndarray] = {}
    for name, rows in inputs_seen(model, batches):
        most = np.abs(rows).max(axis=0)
        reach[name] = np.maximum(reach.get(name, most), most)
    divided = {node.name for node in products(model)}
    nodes = []
    for node in map(_copy, model.graph.node):
        if node.name in divided:
            scale = channel_scale(torch.from_numpy(reach[node.input[0]]), share).numpy()
            nodes.append(_divide(model, node, weights[node.input[1]], scale))
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _divide(model: ModelProto, node: NodeProto, weight: TensorProto, scale: np.ndarray) -> NodeProto:
    """Multiply the weights and return the operator that divides the node's input, which now reads that."""
    values = numpy_helper.to_array(weight) * scale[:, None]  # [D, outputs]
    factor, result = f"{node.name}/smooth", f"{node.name}/smoothed"
    own = numpy_helper.from_array(values, f"{node.name}/weight")  # another node may share the old one
    model.graph.initializer.extend([own, numpy_helper.from_array(1 / scale, factor)])
    product = helper.make_node("Mul", [node.input[0], factor], [result], name=f"{node.name}/divide")
    node.input[0], node.input[1] = result, own.name
    return product


def _copy(node: NodeProto) -> NodeProto:
    copied = NodeProto()
    copied.CopyFrom(node)
    return copied
