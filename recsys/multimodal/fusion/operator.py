"""The interface of all fusion operators: the modalities' vectors and mask in, one vector out.

B: items of a batch. D_m: width of modality m. W: inner width. O: outputs (classes, or the width of a vector).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

Parts = Mapping[str, Tensor]


class Operator(nn.Module):
    """A fusion operator; to add one, write a subclass in a file of its own and a line in `registry`.

    Args:
        widths: modality → D_m; the order of the names is the order of the mask's columns.
        outputs: O.
        inner: W.
        drop: dropout rate of the inner entries in training, in [0, 1).
    """

    def __init__(self, widths: Mapping[str, int], outputs: int, inner: int = 256, drop: float = 0.2):
        super().__init__()
        self.names = tuple(widths)
        self.outputs, self.inner, self.drop = outputs, inner, drop

    def forward(self, parts: Parts, present: Tensor) -> Tensor:
        """Fuse.

        Args:
            parts: [B, D_m] of every modality, zeros where it is missing.
            present: [B, modalities] bool.

        Returns:
            [B, O].
        """
        raise NotImplementedError

    def heads(self, parts: Parts, present: Tensor) -> list[Tensor]:
        """List of outputs [B, O], each trained by the task's loss; a single one unless the operator fuses
        scores."""
        return [self(parts, present)]

    def settle(self, parts: Parts, present: Tensor, labels: Tensor) -> None:
        """After training, choose on validation rows what is not trained by gradient; nothing by default."""

    def _dropped(self, inner: Tensor) -> Tensor:
        return dropout(inner, self.drop, self.training)


def projections(widths: Mapping[str, int], inner: int) -> nn.ModuleDict:
    """A linear map to W for each modality, without bias: a missing modality stays zero."""
    # torch allows no dot in a module's name
    return nn.ModuleDict({name: nn.Linear(width, inner, bias=False) for name, width in widths.items()})


def tokens(maps: nn.ModuleDict, parts: Parts, names: tuple[str, ...]) -> Tensor:
    """[B, modalities, W]: each modality's mapped vector."""
    return torch.stack([maps[name](parts[name]) for name in names], dim=1)


def seen_by_all(present: Tensor) -> Tensor:
    """Mask [B, modalities] for attention in which an item without any modality attends to all of them
    (zeros), which avoids NaN.
    """
    return present | ~present.any(dim=1, keepdim=True)
