"""Training sets, and the batches of an epoch: a pure function of (seed, epoch).

n: samples.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from torch import Tensor

from recsys.training.settings import TrainingSettings


class Samples(Protocol):
    """A training set that the loop asks for batches by position.

    Attributes:
        lengths: [n] tokens of each sample, or None where samples have no length.
    """

    lengths: np.ndarray | None

    def __len__(self) -> int: ...

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        """The batch of the samples at these positions, on the CPU.

        Random draws (negatives, masks) must use torch's global generator, which the loop seeds before each
        call, so that a resumed run draws the same.
        """
        ...


def epoch_batches(samples: Samples, settings: TrainingSettings, epoch: int) -> list[np.ndarray]:
    """Positions of the samples of each micro-batch of epoch 0, 1, …: every sample once.

    Raises:
        ValueError: a token budget, but samples without lengths.
    """
    lengths = samples.lengths
    if settings.token_budget is not None and lengths is None:
        raise ValueError(
            "token_budget needs samples with lengths, and samples.lengths is None: use batch_size"
        )
    stream = np.random.SeedSequence([settings.seed, epoch])
    if settings.length_buckets and lengths is not None:
        # here, because a model without lengths needs nothing of the encoders
        from recsys.encoders.length_batches import length_batches

        return length_batches(
            np.asarray(lengths),
            batch_size=settings.batch_size,
            token_budget=settings.token_budget,
            shuffle_seed=int(stream.generate_state(1)[0]),
        )
    order = np.random.default_rng(stream).permutation(len(samples))
    if settings.batch_size is not None:
        return [order[i : i + settings.batch_size] for i in range(0, len(order), settings.batch_size)]
    return _budgeted(order, np.asarray(lengths), settings.token_budget)


def _budgeted(order: np.ndarray, lengths: np.ndarray, budget: int) -> list[np.ndarray]:
    """Cut an order where samples × longest would exceed the budget; a longer one is a batch of its own."""
    cuts, start, longest = [], 0, 0
    for position, length in enumerate(lengths[order].tolist()):
        longest = max(longest, length)
        if position > start and longest * (position + 1 - start) > budget:
            cuts.append(position)
            start, longest = position, length
    return np.split(order, cuts) if len(order) else []


def share(indices: np.ndarray, rank: int, processes: int) -> np.ndarray:
    """One process's slice of a micro-batch: contiguous; sizes differ by one at most."""
    return indices if processes == 1 else np.array_split(indices, processes)[rank]
