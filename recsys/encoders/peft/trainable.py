"""Which parameters of a backbone are trained: all, none, biases, or the last layers."""

from __future__ import annotations

import re

from torch import nn

from recsys.encoders.backbone import Backbone, transformer_layers

# norms behind the last layer: GPT-2, Llama and Qwen, ModernBERT, OPT
FINAL_NORMS = ("ln_f", "norm", "final_norm", "decoder.final_layer_norm")


def set_trainable(backbone: Backbone, which: str) -> dict[str, int]:
    """Set requires_grad of every parameter.

    Args:
        which: "all", "none", or "last-K": the last K transformer layers, and the norm after them where
            there is one; embeddings and earlier layers are frozen.

    Returns:
        {"trainable": n, "total": n}, numbers of parameters (single weights, shared ones counted once).

    Raises:
        ValueError: any other value, or K not between 1 and the number of layers.
    """
    if backbone.frozen:
        if which != "none":
            raise ValueError(
                f"{backbone.name} is frozen ({backbone.frozen}): which must be 'none', not {which!r}"
            )
        return {"trainable": 0, "total": sum(p.numel() for p in backbone.parameters())}
    _, stack = transformer_layers(backbone.model)
    learning: list[nn.Module] = []
    if which == "all":
        learning = [backbone]
    elif which != "none":
        match = re.fullmatch(r"last-([0-9]+)", str(which))
        if not match or not 1 <= int(match[1]) <= len(stack):
            raise ValueError(
                f"which must be 'all', 'none', or 'last-1' to 'last-{len(stack)}' for {backbone.name}, "
                f"not {which!r}"
            )
        modules = dict(backbone.model.named_modules())
        learning = [*stack[-int(match[1]) :], *(modules[name] for name in FINAL_NORMS if name in modules)]
    backbone.requires_grad_(False)
    for module in learning:
        module.requires_grad_(True)
    parameters = list(backbone.parameters())
    return {
        "trainable": sum(p.numel() for p in parameters if p.requires_grad),
        "total": sum(p.numel() for p in parameters),
    }


def tune_all(backbone: Backbone, name: str, options: dict) -> None:
    """The method "full": every parameter of the backbone is trained."""
    set_trainable(backbone, "all")


def tune_none(backbone: Backbone, name: str, options: dict) -> None:
    """The method "frozen": no parameter of the backbone is trained; a head on top may be."""
    set_trainable(backbone, "none")


def tune_last(backbone: Backbone, name: str, options: dict) -> None:
    """The methods "last-K": the last K layers are trained (Lee et al. 2019, arXiv:1911.03090)."""
    set_trainable(backbone, name)


def tune_biases(backbone: Backbone, name: str, options: dict) -> None:
    """BitFit (Ben Zaken et al. 2021, arXiv:2106.10199): biases are trained, all else is frozen."""
    set_trainable(backbone, "none")
    for label, parameter in backbone.named_parameters():
        parameter.requires_grad_(label.endswith("bias"))
