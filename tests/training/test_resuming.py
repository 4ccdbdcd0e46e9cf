"""A run that was cut off ends with the bits of the run that was not."""

import json
import os
import random
import shutil
import signal

import pytest
import torch

from recsys.training import checkpoint as checkpoints
from recsys.training import train
from tests.training.cases import Rows, accuracy, bits, class_loss, classifier, settings
from tests.training.killable import digest, finish, kill_once, killable_training

EPOCHS = 12  # × 7 steps


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_killed_twice_ends_with_the_same_bits(tmp_path):
    undisturbed = digest(killable_training(None, EPOCHS, pause=0))
    chance = random.Random()
    reached = [kill_once(tmp_path, EPOCHS, chance, longest=0.6) for _ in range(2)]
    assert 0 < reached[0] <= reached[1] < undisturbed["steps"], "kills missed the training"
    assert finish(tmp_path, EPOCHS) == json.loads(json.dumps(undisturbed))


class Stopped(Exception):
    pass


def interrupted_then_resumed(folder, told, samples, stop_after: int, model=classifier):
    """Cut off by an error after so many losses, then run again."""
    calls = iter(range(10**6))

    def failing(model, batch):
        if next(calls) == stop_after:
            raise Stopped
        return class_loss(model, batch)

    with pytest.raises(Stopped):
        train(model(), samples, failing, told, evaluate=accuracy(samples), folder=folder, progress=False)
    again = model(seed=99)  # other first weights: all that counts is in the checkpoint
    return train(again, samples, class_loss, told, evaluate=accuracy(samples), folder=folder, progress=False)


class Tied(torch.nn.Module):
    def __init__(self, seed: int = 3):
        super().__init__()
        self.first, self.last = classifier(seed=seed), classifier(seed=seed)
        self.last[0].weight = self.first[0].weight

    def forward(self, x):
        return self.first(x) + self.last(x)


def test_tied_weights_stay_tied(tmp_path):
    samples, told = Rows(), settings(checkpoint_minutes=0, mixed_precision="bf16")
    want = train(Tied(), samples, class_loss, told, evaluate=accuracy(samples), progress=False)
    got = interrupted_then_resumed(tmp_path, told, samples, stop_after=3, model=Tied)
    assert got.model.last[0].weight is got.model.first[0].weight
    assert bits(got.model) == bits(want.model)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "adafactor"])
@pytest.mark.parametrize("stop_after", [5, 14])
def test_resumes_in_the_middle_of_an_epoch(tmp_path, optimizer, stop_after):
    samples = Rows()
    told = settings(
        epochs=5, optimizer=optimizer, schedule="cosine", checkpoint_minutes=0, evaluate_every=2, patience=9
    )
    want = train(classifier(), samples, class_loss, told, evaluate=accuracy(samples), progress=False)
    got = interrupted_then_resumed(tmp_path, told, samples, stop_after)
    assert bits(got.model) == bits(want.model)
    assert got.history.drop(columns="seconds").equals(want.history.drop(columns="seconds"))
    assert (got.best_metric, got.best_step, got.steps) == (want.best_metric, want.best_step, want.steps)


def test_ctrl_c_writes_a_checkpoint_and_goes_on_from_it(tmp_path):
    samples, told = Rows(), settings(epochs=4, evaluate_every=2)
    want = train(classifier(), samples, class_loss, told, evaluate=accuracy(samples), progress=False)
    pressed, before = [], signal.getsignal(signal.SIGINT)  # ignored in a shell's background job

    def press_once(model, batch):
        if len(pressed) == 6:
            os.kill(os.getpid(), signal.SIGINT)
        pressed.append(1)
        return class_loss(model, batch)

    common = {"evaluate": accuracy(samples), "folder": tmp_path, "progress": False}
    with pytest.raises(KeyboardInterrupt):
        train(classifier(), samples, press_once, told, **common)
    assert json.loads((tmp_path / "checkpoint" / "state.json").read_text())["progress"]["step"] == 7
    assert signal.getsignal(signal.SIGINT) is before
    got = train(classifier(), samples, class_loss, told, **common)
    assert bits(got.model) == bits(want.model)


def test_a_finished_run_is_not_trained_again(tmp_path):
    samples, told = Rows(), settings()
    first = train(
        classifier(), samples, class_loss, told, evaluate=accuracy(samples), folder=tmp_path, progress=False
    )

    def never(model, batch):
        raise AssertionError("trained again")

    second = train(classifier(seed=8), samples, never, told, folder=tmp_path, progress=False)
    assert bits(first.model) == bits(second.model)
    assert first.history.equals(second.history)
    assert first.best_metric == second.best_metric


def test_another_setting_is_refused_by_name(tmp_path):
    samples = Rows()
    train(classifier(), samples, class_loss, settings(), folder=tmp_path, progress=False)
    with pytest.raises(ValueError, match=r"learning_rate: 0.01 there, 0.02 here"):
        train(classifier(), samples, class_loss, settings(learning_rate=0.02), folder=tmp_path)
    with pytest.raises(ValueError, match="samples: 101 there, 7 here"):
        train(classifier(), Rows(7), class_loss, settings(), folder=tmp_path)
    # says nothing about the result, so it may change
    train(classifier(), samples, class_loss, settings(checkpoint_minutes=1), folder=tmp_path, progress=False)


def test_another_task_model_or_content_is_refused(tmp_path):
    """Each of these once resumed from, or returned, another model's weights without a word."""
    samples = Rows()

    def start(model, samples=samples, task="bce"):
        return train(model, samples, class_loss, settings(), folder=tmp_path, task=task, progress=False)

    start(classifier())
    with pytest.raises(ValueError, match="task: 'bce' there, 'cross-entropy' here"):
        start(classifier(), task="cross-entropy")
    frozen = classifier()
    next(frozen.parameters()).requires_grad_(False)
    with pytest.raises(ValueError, match="model: "):
        start(frozen)
    other = Rows()
    other.collate = lambda indices: {name: value + 1 for name, value in samples.collate(indices).items()}
    with pytest.raises(ValueError, match="content: "):
        start(classifier(), other)
    start(classifier())


@pytest.mark.parametrize("call", ["mkdir", "first rename", "second rename", "save"])
def test_a_death_anywhere_in_a_write_leaves_a_whole_checkpoint(tmp_path, monkeypatch, call):
    def checkpoint(number):
        return checkpoints.Checkpoint({"fingerprint": {}, "n": number}, {"w": torch.ones(3)}, None, None)

    checkpoints.write(tmp_path, checkpoint(1))
    renames, rename = iter(["first rename", "second rename"]), os.rename

    def dying_rename(*names):
        if next(renames) == call:
            raise Stopped
        rename(*names)

    def die(*_, **__):
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", dying_rename)
        if call == "save":
            patch.setattr(checkpoints, "save_file", die)
        if call == "mkdir":
            patch.setattr(checkpoints.Path, "mkdir", die)
        with pytest.raises(Stopped):
            checkpoints.write(tmp_path, checkpoint(2))
    checkpoints.settle(tmp_path)
    assert checkpoints.read(tmp_path, {}).state["n"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint"]
    checkpoints.write(tmp_path, checkpoint(3))
    assert checkpoints.read(tmp_path, {}).state["n"] == 3


def test_no_pickle_is_run_from_a_checkpoint(tmp_path):
    class Evil:
        def __reduce__(self):
            return (shutil.rmtree, (str(tmp_path / "precious"),))

    (tmp_path / "precious").mkdir()
    checkpoints.write(
        tmp_path, checkpoints.Checkpoint({"fingerprint": {}}, {"w": torch.ones(1)}, None, {"o": Evil()})
    )
    with pytest.raises(Exception, match=r"[Ww]eights"):
        checkpoints.read(tmp_path, {})
    assert (tmp_path / "precious").exists()


def test_a_sample_that_differs_anywhere_makes_another_training(tmp_path):
    """The first 16 samples alone were compared."""
    samples, other = Rows(), Rows()
    train(classifier(), samples, class_loss, settings(), folder=tmp_path, progress=False)
    last = len(samples) - 1

    def changed(indices):
        batch = samples.collate(indices)
        return {name: value + 1 if last in indices.tolist() else value for name, value in batch.items()}

    other.collate = changed
    with pytest.raises(ValueError, match="content: "):
        train(classifier(), other, class_loss, settings(), folder=tmp_path, progress=False)


def test_another_frozen_backbone_makes_another_training(tmp_path):
    """Its weights were taken from the checkpoint, without a word."""

    def half_frozen(seed):
        model = classifier(seed=seed)
        next(model.parameters()).requires_grad_(False)
        return model

    train(half_frozen(1), Rows(), class_loss, settings(), folder=tmp_path, progress=False)
    with pytest.raises(ValueError, match="model: "):
        train(half_frozen(2), Rows(), class_loss, settings(), folder=tmp_path, progress=False)
    train(half_frozen(1), Rows(), class_loss, settings(), folder=tmp_path, progress=False)


@pytest.mark.parametrize("name", ["state.json", "weights.safetensors", "optimiser.pt"])
@pytest.mark.parametrize("kept", [0, 0.5])
def test_a_damaged_checkpoint_is_told_in_one_line(tmp_path, name, kept):
    checkpoints.write(
        tmp_path,
        checkpoints.Checkpoint({"fingerprint": {}}, {"w": torch.ones(9)}, None, {"o": torch.ones(9)}),
    )
    path = tmp_path / "checkpoint" / name
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"checkpoint is damaged .*: delete it to start afresh$"):
        checkpoints.read(tmp_path, {})
