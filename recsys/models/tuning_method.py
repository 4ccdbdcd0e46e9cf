"""How a backbone learns, in one word: all of it, a part of it, or a parameter-efficient method beside it.

Three methods want more than being wrapped round the model. AdaLoRA's allocator reads the gradients of every
step and its loss keeps P and Q orthogonal; EVA's matrices start from what the task's own texts look like.
This is where they get it, so that every model of the kit takes every method.
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

EVA_BATCHES, EVA_TEXTS = 8, 32  # whose directions EVA starts from
# what stands in the place of a rank, by a method's place or name
RANK_OPTIONS = {"prompt": "num_virtual_tokens", "houlsby": "size", "pfeiffer": "size"}


@dataclass(frozen=True)
class Tuning:
    """method: of `recsys.encoders.peft.registry.METHODS`, or "last-K". options: over the method's defaults.

    Raises:
        ValueError: no such method.
    """

    method: str = "full"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        get_method(self.method)

    @property
    def learns_backbone(self) -> bool:
        """Whether anything of the backbone learns: with "frozen" the head alone does."""
        return self.method != "frozen"

    def settings(self, settings: TrainingSettings) -> TrainingSettings:
        """Where only the head learns, `learning_rate` is the head's: no rate is said that nothing follows."""
        return settings if self.learns_backbone else replace(settings, head_learning_rate=None)

    def apply(self, backbone: Backbone, tokens: Tokens, seed: int) -> dict[str, int]:
        """Wrap the backbone in place; see `apply_method`, which says what it returns and raises.

        Args:
            tokens: of the training texts.
        """
        batches = None
        if self.method == "eva":
            drawn = np.random.default_rng(seed).permutation(len(tokens))[: EVA_BATCHES * EVA_TEXTS]
            batches = [tokens.take(drawn[i : i + EVA_TEXTS]) for i in range(0, len(drawn), EVA_TEXTS)]
        return apply_method(backbone, self.method, seed=seed, batches=batches, **self.options)

    def on_step(self, backbone: Backbone, samples: Samples, settings: TrainingSettings) -> OnStep | None:
        """What the loop is to call after every optimiser step."""
        if self.method != "adalora":
            return None
        steps = total_steps(settings, len(epoch_batches(samples, settings, 0)))
        return AdaptiveRank(backbone, steps).on_step

    def loss(self, loss: Loss) -> Loss:
        """The task's loss, with what the method adds to it."""
        return with_orthogonality(loss) if self.method == "adalora" else loss

    def finish(self, backbone: Backbone) -> None:
        """After training. Raises RuntimeError where AdaLoRA's ranks have not come down to their budget."""
        if self.method == "adalora":
            backbone.adaptive_rank.finish()


FULL = Tuning()


def tuning(method: str, rank: int = 0, places: str = "") -> Tuning:
    """A method with the two choices that most of them share.

    Args:
        rank: r; of AdaLoRA the mean rank at the end, which it starts from twice; of prompts and prefixes the
            number of virtual tokens; of bottleneck adapters the width of the bottleneck. 0: the method's own.
        places: what is adapted, joined by "+": ends of modules' names ("query+key+value"), or "attention",
            "feed-forward", "all-linear"; "" the method's own.

    Raises:
        ValueError: no such method; a rank or places for a method that has none.
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
