"""Optimisers, and which parameters take weight decay and which learning rate."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Optimizer

from recsys.training.settings import TrainingSettings

BACKBONE = "backbone."


def parameter_groups(model: nn.Module, settings: TrainingSettings) -> list[dict]:
    """Trainable parameters in up to four groups: backbone or head, decayed or not.

    Not decayed: parameters of at most one dimension (biases, norms, scalars) and weights of `nn.Embedding`
    and `nn.EmbeddingBag`. Decay shrinks every row at every step, while only rows in the batch get gradients:
    it would push rare items towards 0, an unintended popularity prior.

    Raises:
        ValueError: nothing to train; or a head_learning_rate, but no parameter named "backbone.…".
    """
    tables = {
        id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding | nn.EmbeddingBag)
    }
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if not named:
        raise ValueError("the model has no parameter with requires_grad: nothing to train")
    if settings.head_learning_rate is not None and not any(n.startswith(BACKBONE) for n, _ in named):
        raise ValueError(
            f"head_learning_rate={settings.head_learning_rate} needs trainable parameters named "
            f"'{BACKBONE}…' for learning_rate to apply to; the model has none"
        )
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in named:
        is_head = settings.head_learning_rate is not None and not name.startswith(BACKBONE)
        is_decayed = parameter.ndim > 1 and id(parameter) not in tables
        groups.setdefault((is_head, is_decayed), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": settings.head_learning_rate if is_head else settings.learning_rate,
            "weight_decay": settings.weight_decay if is_decayed else 0.0,
        }
        for (is_head, is_decayed), parameters in sorted(groups.items())
    ]


def build_optimizer(model: nn.Module, settings: TrainingSettings) -> Optimizer:
    """The optimiser of the settings over the groups of `parameter_groups`.

    Adafactor is that of transformers: with its own scaling off, the learning rate is used as given. torch's
    always multiplies it by the parameter's norm and caps it at 1/√step.
    """
    groups = parameter_groups(model, settings)
    if settings.optimizer == "adafactor":
        from transformers.optimization import Adafactor

        return Adafactor(groups, scale_parameter=False, relative_step=False, warmup_init=False)
    kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    # fused: one pass over the memory; on the CPU too it beats foreach and the plain loop
    return kind(groups, fused=all(_is_fusible(p) for group in groups for p in group["params"]))


def _is_fusible(parameter: nn.Parameter) -> bool:
    return parameter.device.type in ("cpu", "cuda") and torch.is_floating_point(parameter)
