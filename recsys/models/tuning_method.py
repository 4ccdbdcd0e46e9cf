"""How a backbone is tuned, chosen by name: fully, in part, or by a parameter-efficient method.

Two methods need more than wrapping the model: AdaLoRA's allocator reads the gradients of every step and its
loss keeps P and Q orthogonal; EVA's matrices are initialised from the task's own texts. `Tuning` provides
both, so that every model of the kit supports every method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from recsys.encoders.backbone import Backbone
from recsys.encoders.peft.adaptive_rank import AdaptiveRank, with_orthogonality
from recsys.encoders.peft.methods import apply_method
from recsys.encoders.peft.registry import get_method
from recsys.encoders.tokens import Tokens
from recsys.training.loop import OnStep
from recsys.training.samples import Samples, epoch_batches
from recsys.training.schedules import total_steps
from recsys.training.settings import TrainingSettings
from recsys.training.step import Loss

EVA_BATCHES, EVA_TEXTS = 8, 32  # batches, and texts of a batch, that EVA's initialisation reads
# the option that `rank` sets where a method has no rank, by the method's place or name
RANK_OPTIONS = {"prompt": "num_virtual_tokens", "houlsby": "size", "pfeiffer": "size"}


@dataclass(frozen=True)
class Tuning:
    """A tuning method with its options.

    Attributes:
        method: of `recsys.encoders.peft.registry.METHODS`, or "last-K".
        options: override the method's defaults.

    Raises:
        ValueError: no such method.
    """

    method: str = "full"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        get_method(self.method)

    @property
    def learns_backbone(self) -> bool:
        """Whether any parameter of the backbone is trained; with "frozen" only the head is."""
        return self.method != "frozen"

    def settings(self, settings: TrainingSettings) -> TrainingSettings:
        """Settings for this method: where only the head is trained, `learning_rate` is the head's rate."""
        return settings if self.learns_backbone else replace(settings, head_learning_rate=None)

    def apply(self, backbone: Backbone, tokens: Tokens, seed: int) -> dict[str, int]:
        """Apply the method to the backbone in place; returns and raises as `apply_method`.

        Args:
            tokens: of the training texts.
        """
        batches = None
        if self.method == "eva":
            drawn = np.random.default_rng(seed).permutation(len(tokens))[: EVA_BATCHES * EVA_TEXTS]
            batches = [tokens.take(drawn[i : i + EVA_TEXTS]) for i in range(0, len(drawn), EVA_TEXTS)]
        return apply_method(backbone, self.method, seed=seed, batches=batches, **self.options)

    def on_step(self, backbone: Backbone, samples: Samples, settings: TrainingSettings) -> OnStep | None:
        """The function that the training loop calls after every optimiser step, or None."""
        if self.method != "adalora":
            return None
        steps = total_steps(settings, len(epoch_batches(samples, settings, 0)))
        return AdaptiveRank(backbone, steps).on_step

    def loss(self, loss: Loss) -> Loss:
        """The task's loss plus the method's own term, if it has one (AdaLoRA's orthogonality)."""
        return with_orthogonality(loss) if self.method == "adalora" else loss

    def finish(self, backbone: Backbone) -> None:
        """Call after training. Raises RuntimeError where AdaLoRA's ranks exceed their final budget."""
        if self.method == "adalora":
            backbone.adaptive_rank.finish()


FULL = Tuning()


def tuning(method: str, rank: int = 0, places: str = "") -> Tuning:
    """A tuning method with the two options that most methods share.

    Args:
        method: of `recsys.encoders.peft.registry.METHODS`, or "last-K".
        rank: r; for AdaLoRA the mean rank at the end (it starts with twice as much); for prompts and prefixes
            the number of virtual tokens; for bottleneck adapters their width. 0: the method's default.
        places: which modules are adapted, joined by "+": ends of module names ("query+key+value"), or
            "attention", "feed-forward", "all-linear"; "": the method's default.

    Raises:
        ValueError: no such method; a rank or places for a method that has none.

    Example:
        >>> tuning("lora", rank=4).options
        {'r': 4}
    """
    kind, options = get_method(method), {}
    if rank:
        name = RANK_OPTIONS.get(kind.place, RANK_OPTIONS.get(kind.name, kind.rank))
        if not name:
            raise ValueError(f"{method} has no rank: leave it 0")
        options = {"init_r": 2 * rank, "target_r": rank} if method == "adalora" else {name: rank}
    if places:
        if not kind.config or kind.place == "prompt":
            raise ValueError(f"{method} attaches to no modules of your choice: leave places empty")
        options["target_modules"] = places.split("+")
    return Tuning(method, options)
