"""The linear maps (`nn.Linear`) inside a backbone's transformer layers, by name.

Names begin with the layer's number: "0.attention.self.query".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from torch import nn

from recsys.encoders.backbone import Backbone, transformer_layers


def linear_maps(backbone: Backbone) -> dict[str, nn.Linear]:
    """Name -> map, in the order of the layers.

    Raises:
        ValueError: there are none.
        BackboneError: an architecture whose layers are not found.
    """
    _, layers = transformer_layers(backbone.model)
    found = {name: module for name, module in layers.named_modules() if isinstance(module, nn.Linear)}
    if not found:
        raise ValueError(f"the layers of {backbone.name} have no nn.Linear: use a BERT-type encoder")
    return found


def named(maps: Collection[str], patterns: Sequence[str]) -> set[str]:
    """Names that any of the regular expressions matches in full.

    Raises:
        ValueError: a pattern that matches none.

    Example:
        >>> sorted(named(["0.output.dense", "1.output.dense"], [r"1\\..*"]))
        ['1.output.dense']
    """
    found = set()
    for pattern in patterns:
        fitting = {name for name in maps if re.fullmatch(pattern, name)}
        if not fitting:
            raise ValueError(f"no map is named {pattern!r}; there are {', '.join(maps)}")
        found |= fitting
    return found
