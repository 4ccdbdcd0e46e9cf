"""SmoothQuant for ONNX graphs: inputs of products are divided channel by channel before quantisation.

One scale then suits all channels better. SmoothQuant (Xiao et al. 2022, arXiv:2211.10438) folds the division
into the preceding layer norm. In a post-norm Transformer the norm's output is the residual too, and after a
GELU nothing can be folded, so there the division is an operator of its own: one pass over [B, T, D], cheap
compared with the product. After attention it is folded into the weights of the values. onnxruntime's own
SmoothQuant supports static scales only.

D: inputs of a product.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper
from torch import Tensor

from recsys.encoders.backbone import Backbone
from recsys.speed.rounding.linear_maps import linear_maps

# operators that multiply with a weight -> number of maps with the same input whose weights it concatenates
MAPS = {"MatMul": 1, "Attention": 3}


def smoothed(model: ModelProto, backbone: Backbone, divisors: Mapping[str, Tensor]) -> ModelProto:
    """Divide the inputs of products by channel and multiply their weights; the outputs do not change.

    Args:
        model: float32, from `recsys.speed.builders.onnx.fused`; changed in place.
        backbone: that it was exported from; products are identified by their weights.
        divisors: by name of the map, [D], from `fake_quantisation.smoothing`.

    Raises:
        ValueError: a map whose product is not found.
    """
    owners, readers = maps_of(model, backbone), Counter(n for node in model.graph.node for n in node.input)
    left, nodes, makers = set(divisors), [], {}
    for node in map(_copy, model.graph.node):
        names = owners.get(node.name, [None])
        if names[0] in divisors:
            divisor, maker = divisors[names[0]].numpy(), makers.get(node.input[0])
            if maker is not None and maker.op_type == "Attention" and readers[node.input[0]] == 1:
                _divide_values(model, maker, divisor)
            else:
                nodes.append(_divide(model, node, divisor))
            _rescale(model, node, 1, divisor[:, None])
            left -= set(names)
        nodes.append(node)
        makers |= dict.fromkeys(node.output, node)
    if left:
        raise ValueError(f"no product in the graph for {', '.join(sorted(left))}")
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def maps_of(model: ModelProto, backbone: Backbone) -> dict[str, list[str]]:
    """Name of each product -> names of the maps whose weights it holds: one, or query, key and value."""
    weights = {entry.name: entry for entry in model.graph.initializer}
    names = defaultdict(list)  # layers with equal weights are in the graph's order
    for name, module in linear_maps(backbone).items():
        names[_key(module.weight.detach().numpy().T)].append(name)
    found = {}
    for node in model.graph.node:
        if node.op_type in MAPS and node.input[1] in weights:
            values = numpy_helper.to_array(weights[node.input[1]])
            keys = [_key(part) for part in np.split(values, MAPS[node.op_type], axis=1)]
            if all(names[key] for key in keys):
                found[node.name] = [names[key].pop(0) for key in keys]
    return found


def _divide(model: ModelProto, node: NodeProto, divisor: np.ndarray) -> NodeProto:
    """The operator that divides the node's input; the node is changed to read its output."""
    factor, result = f"{node.name}/smooth", f"{node.name}/smoothed"
    model.graph.initializer.append(numpy_helper.from_array(1 / divisor, factor))
    product = helper.make_node("Mul", [node.input[0], factor], [result], name=f"{node.name}/divide")
    node.input[0] = result
    return product


def _divide_values(model: ModelProto, attention: NodeProto, divisor: np.ndarray) -> None:
    """Fold the division into the weights of the values (last third of the columns of weights and bias)."""
    factor = np.r_[np.ones(2 * len(divisor), np.float32), 1 / divisor]
    _rescale(model, attention, 1, factor)
    _rescale(model, attention, 2, factor)


def _rescale(model: ModelProto, node: NodeProto, place: int, factor: np.ndarray) -> None:
    """Give the node its own copy of a weight, times the factor, because other nodes may share the old one."""
    old = next(entry for entry in model.graph.initializer if entry.name == node.input[place])
    own = numpy_helper.from_array(numpy_helper.to_array(old) * factor, f"{old.name}/{node.name}")
    model.graph.initializer.append(own)
    node.input[place] = own.name


def _key(weight: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(weight, dtype=np.float32)).digest()


def _copy(node: NodeProto) -> NodeProto:
    copied = NodeProto()
    copied.CopyFrom(node)
    return copied
