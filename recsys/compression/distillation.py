"""Knowledge distillation of encoders: a student is trained to reproduce the teacher's unit-length vectors.

The loss of a text is 1 − cosine of the student's vector with the teacher's, half their squared distance (as
in Reimers & Gurevych 2020, arXiv:2004.09813, for other languages). No labels are needed, and the teacher's
product vectors remain usable: a student may encode queries only.

n: texts. B: texts of a batch. T: tokens of the longest of them. D: width.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from recsys.encoders.backbone import Backbone, transformer_layers
from recsys.encoders.embed import embed_texts
from recsys.encoders.tokens import tokenise
from recsys.training.loop import train
from recsys.training.result import TrainingResult
from recsys.training.settings import TrainingSettings

MAX_TOKENS = 64
UNIT = 1e-3  # tolerance on a target's length of 1

SETTINGS = TrainingSettings(
    epochs=1,
    learning_rate=1e-4,
    schedule="linear",
    warmup_share=0.1,
    weight_decay=0.0,
    token_budget=2048,
    accumulation=1,
    mixed_precision="bf16",
)


class TextTargets:
    """`Samples` of `recsys.training.train`: texts, each with its target vector.

    Args:
        backbone: whose tokenizer is used.
        texts: n strings.
        targets: [n, D] float32 rows of length 1.
        max_tokens: longer texts are cut, see `recsys.encoders.tokens.tokenise`.

    Raises:
        ValueError: targets that do not fit the texts or the backbone's width, or are not of length 1; as
            `tokenise`.

    Attributes:
        lengths: [n] tokens of each text.
    """

    def __init__(
        self, backbone: Backbone, texts: Sequence[str], targets: np.ndarray, max_tokens: int = MAX_TOKENS
    ):
        check_targets(texts, targets, backbone.width)
        self.tokens = tokenise(backbone, texts, max_tokens=max_tokens)
        self.lengths = self.tokens.lengths
        self.targets = np.ascontiguousarray(targets, dtype=np.float32)

    def __len__(self) -> int:
        return len(self.lengths)

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        """input_ids, attention_mask [B, T] int64 and targets [B, D] float32."""
        ids, mask = self.tokens.take(indices)
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "targets": torch.from_numpy(self.targets[np.asarray(indices)]),
        }


def check_targets(texts: Sequence[str], targets: np.ndarray, width: int) -> None:
    """Raises ValueError for targets that are not one row of length 1 and of that width for each text."""
    if targets.shape != (len(texts), width):
        raise ValueError(
            f"targets must be [{len(texts)}, {width}], a vector of the student's width for each text, "
            f"got {list(targets.shape)}"
        )
    if len(targets) and not np.abs(np.linalg.norm(targets, axis=1) - 1).max() <= UNIT:  # NaN too
        raise ValueError("targets must have length 1: embed_texts(teacher, texts, precision='fp32')")


def regression_loss(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
    """Sum of 1 - cosine over a batch of `TextTargets`, and its number of texts: a `Loss` of `train`."""
    vectors = normalize(model(batch["input_ids"], batch["attention_mask"]).float(), dim=1)
    return (1 - (vectors * batch["targets"]).sum(dim=1)).sum(), len(vectors)


def distil(
    student: Backbone,
    texts: Sequence[str],
    targets: np.ndarray,
    settings: TrainingSettings = SETTINGS,
    *,
    max_tokens: int = MAX_TOKENS,
    held_out: tuple[Sequence[str], np.ndarray] | None = None,
    folder: Path | str | None = None,
    progress: bool = True,
) -> TrainingResult:
    """Train a student in place to reproduce the target vectors of the texts.

    Dropout is off, because it would be noise on a function that should be matched closely.

    Args:
        student: fewer layers (`keep_layers`), pruned, inside
            `recsys.speed.rounding.fake_quantisation.fake_int8`, or any other backbone as wide as the targets.
        texts: n strings like those that it will encode: titles, queries.
        targets: [n, D] unit-length rows, of `embed_texts(teacher, texts, precision="fp32")`.
        settings: see `TrainingSettings`.
        max_tokens: longer texts are cut. Take the same for the targets.
        held_out: texts and targets that are not trained on; their mean cosine is the result's metric, and the
            weights with the best one are kept.
        folder: for checkpoints, see `train`.
        progress: show a bar.

    Raises:
        ValueError: as `TextTargets`; as `train`.
    """
    samples = TextTargets(student, texts, targets, max_tokens)
    evaluate = None
    if held_out is not None:
        check_targets(*held_out, student.width)

        def evaluate(model: Backbone) -> float:
            found = embed_texts(model, held_out[0], precision="fp32", max_tokens=max_tokens)
            return float((found * held_out[1]).sum(axis=1).mean())

    with without_dropout(student):
        return train(
            student,
            samples,
            regression_loss,
            settings,
            evaluate=evaluate,
            folder=folder,
            task="distillation",
            progress=progress,
        )


def keep_layers(backbone: Backbone, which: Sequence[int]) -> Backbone:
    """A copy of the backbone with the given transformer layers (numbered from 0), in that order.

    Raises:
        ValueError: no layer, or a number that is not a layer's.
        BackboneError: an architecture whose layers are not found.
    """
    _, layers = transformer_layers(backbone.model)
    if not which or not all(isinstance(n, int) and 0 <= n < len(layers) for n in which):
        raise ValueError(f"which must be layers from 0 to {len(layers) - 1}, at least one, got {which!r}")
    student = copy.deepcopy(backbone)
    path, layers = transformer_layers(student.model)
    kept = nn.ModuleList(copy.deepcopy(layers[number]) for number in which)  # a layer asked for twice is two
    student.model.set_submodule(path, kept)
    config = student.model.config
    config.num_hidden_layers = len(which)
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[number] for number in which]
    return student


def evenly_spaced(layers: int, count: int) -> list[int]:
    """`count` of `layers` layers, evenly from the first to the last; only the first for a count of 1.

    As DistilBERT took every other layer (Sanh et al. 2019, arXiv:1910.01108).

    Raises:
        ValueError: count is not from 1 to layers.

    Example:
        >>> evenly_spaced(6, 3)
        [0, 2, 5]
    """
    if not 1 <= count <= layers:
        raise ValueError(f"count must be from 1 to {layers}, got {count}")
    return np.linspace(0, layers - 1, count).round().astype(int).tolist()


@contextmanager
def without_dropout(model: nn.Module) -> Iterator[None]:
    """Context manager that disables every `nn.Dropout` of the model, in training mode too."""
    before = {module: module.p for module in model.modules() if isinstance(module, nn.Dropout)}
    try:
        for module in before:
            module.p = 0.0
        yield
    finally:
        for module, p in before.items():
            module.p = p
