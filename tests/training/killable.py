"""A training that writes a checkpoint after every step, to be killed, and what kills it."""

from __future__ import annotations

import json
import multiprocessing
import random
import time
from hashlib import sha256
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from recsys.training import TrainingResult, train
from tests.training.cases import Rows, accuracy, class_loss, classifier, settings

STEP_SECONDS = 0.01  # added to each step: most kills then fall into the training, not the imports


def killable_training(folder: Path | None, epochs: int, pause: float = STEP_SECONDS) -> TrainingResult:
    """Dropout, accumulation, evaluations and a backlog of best weights: all that resuming has to restore."""
    torch.set_num_threads(1)
    samples = Rows(109)

    def slow_loss(model, batch):
        time.sleep(pause)
        return class_loss(model, batch)

    told = settings(epochs=epochs, batch_size=8, accumulation=2, evaluate_every=3, checkpoint_minutes=0)
    model = classifier(dropout=0.3)
    return train(model, samples, slow_loss, told, evaluate=accuracy(samples), folder=folder, progress=False)


def digest(result: TrainingResult) -> dict:
    """All bits of a result but the seconds, which no two runs share."""
    weights = sha256()
    for value in result.model.state_dict().values():
        weights.update(value.numpy().tobytes())
    history = result.history.drop(columns="seconds").to_json(double_precision=15)
    curve = sha256(result.history["loss"].to_numpy().tobytes()).hexdigest()
    return {
        "weights": weights.hexdigest(),
        "history": history,
        "curve": curve,
        "best": [result.best_metric, result.best_step],
        "steps": result.steps,
    }


def run(folder: Path, epochs: int) -> None:
    """In the process to be killed: train, and write the digest down."""
    (folder / "digest.json").write_text(json.dumps(digest(killable_training(folder, epochs))))


def start(folder: Path, epochs: int) -> BaseProcess:
    # forked from a server that has imported torch and transformers once: seconds less for each kill
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "tests.training.killable"])
    process = context.Process(target=run, args=(folder, epochs))
    process.start()
    return process


def kill_once(folder: Path, epochs: int, chance: random.Random, longest: float) -> int:
    """Start it and kill it, up to `longest` seconds after its first step. Returns its last whole step."""
    process = start(folder, epochs)
    state = folder / "checkpoint" / "state.json"
    before = _changed(state)
    while process.is_alive() and _changed(state) in (before, 0):
        time.sleep(0.002)
    time.sleep(chance.uniform(0, longest))
    process.kill()
    process.join()
    old = folder / "checkpoint.old" / "state.json"
    return json.loads((state if state.exists() else old).read_text())["progress"]["step"]


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # between the two renames
        return 0


def finish(folder: Path, epochs: int) -> dict:
    """Run it to its end, whatever was left in the folder. Returns its digest."""
    process = start(folder, epochs)
    process.join()
    if process.exitcode:
        raise RuntimeError(f"the last run ended with {process.exitcode}")
    return json.loads((folder / "digest.json").read_text())
