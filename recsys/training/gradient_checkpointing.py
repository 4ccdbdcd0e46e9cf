"""Turn on the recomputation of activations where a model offers it."""

from __future__ import annotations

from torch import nn


def enable_gradient_checkpointing(model: nn.Module, **options) -> None:
    """Ask the model, its `model`, its `backbone` or its `backbone.model`: the first that can.

    What can has a method `activation_checkpointing_enable` or, as before, `gradient_checkpointing_enable`.

    Args:
        options: further ones of `torch.utils.checkpoint.checkpoint`.

    Raises:
        ValueError: none of them has it.
    """
    backbone = getattr(model, "backbone", None)
    inner = getattr(model, "model", None)  # a Backbone that is trained by itself
    for candidate in (model, inner, backbone, getattr(backbone, "model", None)):
        for kind in ("activation", "gradient"):  # transformers renamed its method in version 5
            enable = getattr(candidate, f"{kind}_checkpointing_enable", None)
            if enable is not None:
                # the reentrant kind has a backward pass inside the backward pass, which DDP does not survive
                enable(**{f"{kind}_checkpointing_kwargs": {"use_reentrant": False, **options}})
                return
    raise ValueError(
        f"gradient_checkpointing=True, but neither {type(model).__name__} nor its backbone has a method "
        "gradient_checkpointing_enable: use a transformers model, or gradient_checkpointing=False"
    )
