"""Switches on gradient checkpointing (activations are recomputed in the backward pass) in any model."""

from __future__ import annotations

from torch import nn


def enable_gradient_checkpointing(model: nn.Module, **options) -> None:
    """Switch it on in the model, its `model`, its `backbone` or its `backbone.model`: the first that has it.

    Recognised by a method `activation_checkpointing_enable` (transformers 5) or
    `gradient_checkpointing_enable` (earlier versions).

    Args:
        options: further options of `torch.utils.checkpoint.checkpoint`.

    Raises:
        ValueError: none of them has such a method.
    """
    backbone = getattr(model, "backbone", None)
    inner = getattr(model, "model", None)  # a Backbone that is trained by itself
    for candidate in (model, inner, backbone, getattr(backbone, "model", None)):
        for kind in ("activation", "gradient"):  # transformers renamed its method in version 5
            enable = getattr(candidate, f"{kind}_checkpointing_enable", None)
            if enable is not None:
                # reentrant checkpointing nests a backward pass in the backward pass: DDP cannot
                enable(**{f"{kind}_checkpointing_kwargs": {"use_reentrant": False, **options}})
                return
    raise ValueError(
        f"gradient_checkpointing=True, but neither {type(model).__name__} nor its backbone has a method "
        "gradient_checkpointing_enable: use a transformers model, or gradient_checkpointing=False"
    )
