"""One training loop for every model: accelerate, exact resuming, sums that no batching changes.

Its names are imported when they are asked for: who searches settings of something else needs no torch.
"""

from typing import Any

_PLACES = {
    "Samples": "recsys.training.samples",
    "TrainingDiverged": "recsys.training.result",
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
