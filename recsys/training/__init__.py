"""The training loop of every model, on accelerate: exact resuming, sums that do not depend on batching.

Names are imported when they are first used, so that the hyperparameter search can be used without torch.
"""

from typing import Any

_PLACES = {
    "Samples": "recsys.training.samples",
    "TrainingDiverged": "recsys.training.diverged",
    "TrainingResult": "recsys.training.result",
    "TrainingSettings": "recsys.training.settings",
    "train": "recsys.training.loop",
}

__all__ = ["Samples", "TrainingDiverged", "TrainingResult", "TrainingSettings", "train"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_PLACES[name]), name)
