"""Turn on the recomputation of activations where a model offers it."""

from __future__ import annotations

from torch import nn


def enable_gradient_checkpointing(model: nn.Module) -> None:
    """Call `gradient_checkpointing_enable` of the model, its `backbone` or its `backbone.model`.

    Raises:
        ValueError: none of them has it.
    """
    backbone = getattr(model, "backbone", None)
    for candidate in (model, backbone, getattr(backbone, "model", None)):
        if hasattr(candidate, "gradient_checkpointing_enable"):
            # the reentrant kind runs a backward pass inside the backward pass, which DDP does not survive
            candidate.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            return
    raise ValueError(
        f"gradient_checkpointing=True, but neither {type(model).__name__} nor its backbone has a method "
        "gradient_checkpointing_enable: use a transformers model, or gradient_checkpointing=False"
    )
