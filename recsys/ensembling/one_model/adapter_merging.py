"""Merges several LoRA adapters of one backbone: fusion without additional serving cost.

peft does the arithmetic (`LoraModel.add_weighted_adapter`): "linear" adds the factors A and B, "cat"
concatenates them and so adds the weight changes exactly (rank Σ r), "svd" takes the best rank-r
approximation, "ties" (Yadav et al. 2023, arXiv:2306.01708) and "dare_linear" (Yu et al. 2023,
arXiv:2311.03099) drop small or random entries first. Reads the kit's own adapter folders.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch

from recsys.encoders.backbone import Backbone
from recsys.encoders.peft.adapter_files import AdapterBank, load_adapter
from recsys.encoders.peft.applied import adapter_tensors
from recsys.ensembling.errors import EnsembleError

WAYS = ("linear", "cat", "svd", "ties", "dare_linear")
KEPT = 0.5  # share of entries that "ties" and "dare_linear" keep


def merge_adapters(
    backbone: Backbone,
    folders: Sequence[str | Path],
    weights: Sequence[float] | None = None,
    way: str = "cat",
    seed: int = 0,
) -> Backbone:
    """Merge several LoRA adapters into a bare backbone's weights, in place.

    Args:
        backbone: bare, the one that the adapters were trained on.
        folders: from `recsys.encoders.peft.adapter_files.save_adapter`, with the same method and options.
        weights: of the adapters' changes; None: 1/S each. They need not sum to one.
        way: merging method, of WAYS.
        seed: of the entries that "dare_linear" drops.

    Returns:
        The backbone with merged weights.

    Raises:
        EnsembleError: fewer than two folders, weights that do not fit, no such way, another method than LoRA.
        ValueError: a folder that does not fit the backbone.
    """
    if len(folders) < 2:
        raise EnsembleError(f"merging needs two adapters or more, got {len(folders)}")
    weights = [1 / len(folders)] * len(folders) if weights is None else list(map(float, weights))
    if len(weights) != len(folders) or way not in WAYS:
        raise EnsembleError(
            f"{len(folders)} adapters need as many weights (got {len(weights)}), "
            f"and a way of {', '.join(WAYS)}, not {way!r}"
        )
    load_adapter(backbone, folders[0])
    config = backbone.model.active_peft_config
    if config.peft_type.value != "LORA":
        raise EnsembleError(f"{backbone.peft.name} adapters cannot be merged with each other, LoRA's can")
    bank = AdapterBank(backbone, "0")
    for number, folder in enumerate(folders[1:], 1):
        bank.add(str(number), folder)
    model, names = backbone.model, [str(number) for number in range(len(folders))]
    targets = adapter_tensors(backbone)
    values = {}
    for name in names:
        bank.activate(name)
        values[name] = {key: tensor.detach().clone() for key, tensor in targets.items()}
    for name in names:
        model.add_adapter(name, dataclasses.replace(config))
        live = dict(model.named_parameters())
        for key in targets:
            live[key.replace(".default.", f".{name}.")].data = values[name][key]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        extra = {"density": KEPT} if way in ("ties", "dare_linear") else {}
        model.base_model.add_weighted_adapter(names, weights, "merged", combination_type=way, **extra)
    model.set_adapter("merged")
    backbone.model = model.merge_and_unload(adapter_names=["merged"])
    backbone.peft = None
    return backbone
