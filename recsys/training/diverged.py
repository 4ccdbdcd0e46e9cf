"""The error of a training that diverged: the hyperparameter search knows it without importing torch."""

from __future__ import annotations

from collections.abc import Sequence


class TrainingDiverged(RuntimeError):
    """The loss or the weights are no longer finite."""

    def __init__(self, what: str, step: int, learning_rate: float, losses: Sequence[float]):
        last = ", ".join(f"{loss:.4g}" for loss in losses) or "none"
        super().__init__(
            f"{what} at step {step}, learning rate {learning_rate:.3g}; last finite losses: {last}. "
            "Try a lower learning_rate, a larger warmup_share, a smaller clip_norm, mixed_precision='no', "
            "and look for log(0), 0/0 and rows without any target in the loss. No step was skipped."
        )
        self.step, self.learning_rate, self.losses = step, learning_rate, list(losses)
