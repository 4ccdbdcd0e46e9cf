"""The one interface of all fusion operators: vectors and masks of the modalities in, one vector out.

B: items of a batch. D_m: width of modality m. W: inner width. O: outputs (classes, or the width of a vector).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

Parts = Mapping[str, Tensor]


class Operator(nn.Module):
    """A fusion operator; a new one is a subclass in a file of its own and a line in `registry`.

    Args:
        widths: D_m of each modality; the order of the names is that of the mask's columns.
        outputs: O.
        inner: W.
        drop: share of the inner entries dropped in training, in [0, 1).
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
        """Outputs [B, O] that are trained, each by the task's own loss; one for all that fuse vectors."""
        return [self(parts, present)]

    def settle(self, parts: Parts, present: Tensor, labels: Tensor) -> None:
        """Choose what is chosen on validation rows after training; nothing by default."""

    def _dropped(self, inner: Tensor) -> Tensor:
        return dropout(inner, self.drop, self.training)


def projections(widths: Mapping[str, int], inner: int) -> nn.ModuleDict:
    """A linear map to W for each modality, without bias: a missing modality stays zero."""
    # a module's name may hold no dot
    return nn.ModuleDict({name: nn.Linear(width, inner, bias=False) for name, width in widths.items()})


def tokens(maps: nn.ModuleDict, parts: Parts, names: tuple[str, ...]) -> Tensor:
    """[B, modalities, W], each modality's vector mapped."""
    return torch.stack([maps[name](parts[name]) for name in names], dim=1)


def seen_by_all(present: Tensor) -> Tensor:
    """[B, modalities] mask in which an item without any modality attends to all: zeros, but no NaN."""
    return present | ~present.any(dim=1, keepdim=True)
