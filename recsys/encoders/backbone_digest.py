"""A digest of a backbone: sha256 over everything that its vectors depend on, all weights included.

A digest over a sample of the weights would be faster and wrong: two backbones that differ in a few word
vectors agree in the beginning of every tensor.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from recsys.encoders.backbone import Backbone

SAVED = ("architectures", "_name_or_path", "transformers_version")  # written by save_pretrained, no shape


def backbone_digest(backbone: Backbone) -> str:
    """sha256, hexadecimal, over pooling, longest text, configuration, tokenizer and all weights.

    Two backbones with equal digests give the same vectors, wherever they were loaded from. Takes about 0.1 s
    for MiniLM's 90 MB.
    """
    total = hashlib.sha256()
    total.update(f"{backbone.pooling}\0{backbone.max_tokens}\0".encode())
    config = {name: value for name, value in backbone.model.config.to_dict().items() if name not in SAVED}
    total.update(json.dumps(config, sort_keys=True, default=str).encode())
    words = json.loads(backbone.tokenizer.backend_tokenizer.to_str())
    words |= {"truncation": None, "padding": None}  # these are of the last call
    total.update(json.dumps(words, sort_keys=True).encode())
    _add(total, backbone.model.state_dict())
    return total.hexdigest()


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """sha256, hexadecimal, over names, types, shapes and all numbers of some tensors."""
    total = hashlib.sha256()
    _add(total, tensors)
    return total.hexdigest()


def _add(total, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in sorted(tensors.items()):
        total.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        total.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
