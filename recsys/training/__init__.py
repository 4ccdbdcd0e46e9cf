"""One training loop for every model: accelerate, exact resuming, sums that no batching changes."""

from recsys.training.loop import train
from recsys.training.result import TrainingDiverged, TrainingResult
from recsys.training.samples import Samples
from recsys.training.settings import TrainingSettings

__all__ = ["Samples", "TrainingDiverged", "TrainingResult", "TrainingSettings", "train"]
