"""Inputs of products divided channel by channel before they are rounded: one scale then serves all of them.

SmoothQuant (Xiao et al. 2022, arXiv:2211.10438) folds the division into the layer norm before. In a post-norm
Transformer the norm's output is the residual too, and behind a GELU nothing can be folded, so here it is an
operator of its own: one pass over [B, T, D], small beside the product. onnxruntime's own SmoothQuant serves
static scales only.

D: inputs of a product.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor

from recsys.encoders.backbone import Backbone
from recsys.speed.fake_quantisation import linear_maps

# operators that multiply with a weight: of how many maps of the same input it holds the weights side by side
MAPS = {"MatMul": 1, "Attention": 3}


def smoothed(model: ModelProto, backbone: Backbone, divisors: Mapping[str, Tensor]) -> ModelProto:
    """Divide the inputs of products by channel and multiply their weights: the outputs stay the same.

    Args:
        model: float32, of `recsys.speed.onnx_build.fused`; changed in place.
        backbone: that it was exported from; a product is known by its weights.
        divisors: by name of the map, [D], of `fake_quantisation.smoothing`.

    Raises:
        ValueError: a map whose product is not found.
    """
    weights = {entry.name: entry for entry in model.graph.initializer}
    owners = maps_of(model, backbone)
    left, nodes = set(divisors), []
    for node in map(_copy, model.graph.node):
        names = owners.get(node.name, [None])
        if names[0] in divisors:
            nodes.append(_divide(model, node, weights[node.input[1]], divisors[names[0]].numpy()))
            left -= set(names)
        nodes.append(node)
    if left:
        raise ValueError(f"no product in the graph for {', '.join(sorted(left))}")
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def maps_of(model: ModelProto, backbone: Backbone) -> dict[str, list[str]]:
    """Name of each product -> names of the maps whose weights it holds: one, or query, key and value."""
    weights = {entry.name: entry for entry in model.graph.initializer}
    names = {_key(module.weight.detach().numpy().T): name for name, module in linear_maps(backbone).items()}
    found = {}
    for node in model.graph.node:
        if node.op_type in MAPS and node.input[1] in weights:
            values = numpy_helper.to_array(weights[node.input[1]])
            owners = [names.get(_key(part)) for part in np.split(values, MAPS[node.op_type], axis=1)]
            if None not in owners:
                found[node.name] = owners
    return found


def _divide(model: ModelProto, node: NodeProto, weight: TensorProto, scale: np.ndarray) -> NodeProto:
    """Multiply the weights and return the operator that divides the node's input, which now reads that."""
    values = numpy_helper.to_array(weight) * scale[:, None]  # [D, outputs]
    factor, result = f"{node.name}/smooth", f"{node.name}/smoothed"
    own = numpy_helper.from_array(values, f"{node.name}/weight")  # another node may share the old one
    model.graph.initializer.extend([own, numpy_helper.from_array(1 / scale, factor)])
    product = helper.make_node("Mul", [node.input[0], factor], [result], name=f"{node.name}/divide")
    node.input[0], node.input[1] = result, own.name
    return product


def _key(weight: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(weight, dtype=np.float32)).digest()


def _copy(node: NodeProto) -> NodeProto:
    copied = NodeProto()
    copied.CopyFrom(node)
    return copied
