"""Atomic checkpoints: a kill at any moment leaves either the old one or the new one complete.

A checkpoint is a folder: state.json, weights.safetensors, and while training is unfinished optimiser.pt and,
after an evaluation, best.safetensors. It is written under a temporary name and then renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from recsys.training.samples import Samples
from recsys.training.settings import WITHOUT_EFFECT, TrainingSettings

FORMAT = 3
COMPARED_AT_ONCE = 256  # samples that the fingerprint hashes in one batch
Weights = dict[str, Tensor]


@dataclass
class Checkpoint:
    """Everything that a run needs to resume exactly.

    Attributes:
        state: numbers, strings and lists: counters, history, best metric, fingerprint.
        weights: of the model. best: of the best evaluation, or None.
        optimiser: state dicts of optimiser, scheduler and gradient scaler; None when training has ended.
    """

    state: dict[str, Any]
    weights: Weights
    best: Weights | None
    optimiser: dict[str, Any] | None


def copy_of_weights(model: nn.Module) -> Weights:
    """Parameters and persistent buffers, copied to the CPU; tied ones are copied for each of their names."""
    return {
        name: value.detach().to("cpu", copy=True).contiguous() for name, value in model.state_dict().items()
    }


def fingerprint(
    settings: TrainingSettings, samples: Samples, model: nn.Module, task: str = ""
) -> dict[str, Any]:
    """What a resumed run must have in common with the run that it resumes.

    Settings; number and content of all samples; the model's modules, parameters (names, shapes, which are
    trainable), buffers and frozen weights; and `task`, which stands for the rest. Trainable weights are not
    compared, because running a notebook's cell twice passes a model that is trained already.
    """
    fields = {name: value for name, value in asdict(settings).items() if name not in WITHOUT_EFFECT}
    parameters = [(name, tuple(p.shape), p.requires_grad) for name, p in model.named_parameters()]
    fixed = {name: p for name, p in model.named_parameters() if not p.requires_grad}
    return {
        "format": FORMAT,
        "samples": len(samples),
        "content": _content(samples),
        "model": _sha256(f"{model!r} {parameters}", dict(model.named_buffers()) | fixed),
        "task": task,
        **fields,
    }


def _content(samples: Samples) -> str:
    """sha256 over all samples as they are collated, so that a change of a single event is noticed."""
    digest = hashlib.sha256()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # a batch may draw its negatives
        for start in range(0, len(samples), COMPARED_AT_ONCE):
            batch = samples.collate(np.arange(start, min(start + COMPARED_AT_ONCE, len(samples))))
            digest.update(_sha256("", batch).encode())
    return digest.hexdigest()[:16]


def _sha256(text: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Write `folder`/checkpoint; once there is one, there is a complete one at every moment."""
    new, place, old = folder / "checkpoint.new", folder / "checkpoint", folder / "checkpoint.old"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    (new / "state.json").write_text(json.dumps(checkpoint.state))
    save_file(checkpoint.weights, new / "weights.safetensors")
    if checkpoint.best is not None:
        save_file(checkpoint.best, new / "best.safetensors")
    if checkpoint.optimiser is not None:
        torch.save(checkpoint.optimiser, new / "optimiser.pt")
    for path in new.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())  # else a power cut after the renames could leave empty files
    # A folder cannot be replaced in one call: killed between the renames, `settle` puts the old one back.
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        os.rename(place, old)
    os.rename(new, place)
    shutil.rmtree(old, ignore_errors=True)


def settle(folder: Path) -> None:
    """Remove what a kill in the middle of `write` left behind, and restore the old checkpoint if need be."""
    place, old = folder / "checkpoint", folder / "checkpoint.old"
    if old.exists() and not place.exists():
        os.rename(old, place)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(folder / "checkpoint.new", ignore_errors=True)


def read(folder: Path, expected: dict[str, Any]) -> Checkpoint | None:
    """The checkpoint of a folder, or None where there is none.

    Args:
        expected: the `fingerprint` of this run.

    Raises:
        ValueError: it belongs to another run (the message says what differs), or it is damaged.
    """
    place = folder / "checkpoint"
    if not (place / "state.json").exists():
        return None
    try:
        state = json.loads((place / "state.json").read_text())
        found = dict(state["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{place} is damaged ({type(error).__name__}): delete it to start afresh") from None
    other = [
        f"{name}: {found.get(name)!r} there, {expected.get(name)!r} here"
        for name in sorted(found.keys() | expected.keys())
        if found.get(name) != expected.get(name)
    ]
    if other:
        raise ValueError(
            f"{place} is a checkpoint of another training ({'; '.join(other)}): go on with its settings, "
            "name another folder, or delete that one to start afresh"
        )
    best, optimiser = place / "best.safetensors", place / "optimiser.pt"
    try:
        return Checkpoint(
            state,
            load_file(place / "weights.safetensors"),
            load_file(best) if best.exists() else None,
            torch.load(optimiser, map_location="cpu", weights_only=True) if optimiser.exists() else None,
        )
    except (OSError, SafetensorError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        told = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ValueError(f"{place} is damaged ({told}): delete it to start afresh") from None
