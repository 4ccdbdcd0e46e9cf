"""A backbone whose weights are exactly representable in int8, together with its maps' input divisors.

Training (`recsys.speed.rounding.fake_quantisation`) and building (`recsys.speed.builders.onnx`) must use the
same quantisation grid: a grid shifted by a hundredth would round half of the trained weights differently.

D: inputs of a map.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import numpy as np
import torch
from torch import Tensor, nn

from recsys.encoders.backbone import Backbone
from recsys.encoders.embed import embed_texts
from recsys.speed.rounding.fake_quantisation import RealTokens, smoothing
from recsys.speed.rounding.linear_maps import linear_maps, named
from recsys.speed.rounding.weights import LARGEST, block_scale, by_weight, round_weights

DIVISOR = "input_divisor"  # a buffer of a map
MAX_TOKENS = 64


def divide_inputs(backbone: Backbone, divisors: Mapping[str, Tensor]) -> None:
    """Attach divisors to the maps, in place; later quantisation of this backbone uses them.

    They are buffers of the modules, so copies have them and the model's digest includes them. `Backbone.save`
    does not store them; the built artefact does.

    Args:
        divisors: by name of the map, [D] > 0, from `fake_quantisation.smoothing`.
    """
    maps = linear_maps(backbone)
    for name, divisor in divisors.items():
        maps[name].register_buffer(DIVISOR, divisor.clone())


def divisors_of(backbone: Backbone) -> dict[str, Tensor]:
    """The divisors that `divide_inputs` attached; {} without any."""
    kept = {name: getattr(module, DIVISOR, None) for name, module in linear_maps(backbone).items()}
    return {name: divisor for name, divisor in kept.items() if divisor is not None}


def on_grid(
    backbone: Backbone, texts: Sequence[str], share: float, blockwise: Sequence[str] = (), block: int = 32
) -> Backbone:
    """A copy whose weights are rounded to int8 by GPTQ, see `recsys.speed.rounding.weights`.

    Args:
        texts: for calibration, at least one.
        share: α of `fake_quantisation.smoothing`.
        blockwise: regular expressions of names of maps with a scale for each `block` inputs and without
            divisors, see `fake_quantisation.fake_int8`.

    Returns:
        The copy, with its divisors. Rounding its weights times the divisors to int8 changes nothing.

    Raises:
        ValueError: no text, no linear map, a pattern that matches none, see `smoothing`.
    """
    rounded = copy.deepcopy(backbone)
    maps = linear_maps(rounded)
    by_block = named(maps, blockwise)
    divisors = smoothing(rounded, texts, share, MAX_TOKENS)
    divisors = {name: divisor for name, divisor in divisors.items() if name not in by_block}
    grams = _grams(rounded, divisors, texts)
    with torch.no_grad():
        for name, module in maps.items():
            divisor = divisors.get(name, torch.ones(module.in_features))
            weight = (module.weight * divisor).T.double().numpy()  # [D, outputs]
            by_output = np.abs(weight).max(axis=0) / LARGEST
            scale = block_scale(weight, block) if name in by_block else by_output
            scale = np.where(scale == 0, 1, scale)  # nothing there to round
            whole = round_weights(weight, grams[name], scale)
            found = whole * by_weight(scale, module.in_features)
            module.weight.copy_(torch.from_numpy(found).T.float() / divisor)
    divide_inputs(rounded, divisors)
    return rounded


def _grams(backbone: Backbone, divisors: Mapping[str, Tensor], texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Gram matrices [D, D] of each map's divided inputs, without padding."""
    found: dict[str, np.ndarray] = {}
    tokens = RealTokens()

    def note(name: str):
        def hook(module: nn.Module, args: tuple) -> None:
            rows = (args[0] / divisors.get(name, 1))[tokens.real].double()
            found[name] = found.get(name, 0) + (rows.T @ rows).numpy()

        return hook

    with ExitStack() as stack:
        stack.callback(backbone.register_forward_pre_hook(tokens.see, with_kwargs=True).remove)
        for name, module in linear_maps(backbone).items():
            stack.callback(module.register_forward_pre_hook(note(name)).remove)
        embed_texts(backbone, texts, precision="fp32", max_tokens=MAX_TOKENS)
    return found
