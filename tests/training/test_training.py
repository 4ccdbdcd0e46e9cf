"""What `train` promises beside its sums: failures, stopping, precision, memory, trackers, seeds."""

import math

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from transformers import BertConfig, BertModel

from recsys.encoders.processor_precision import has_bfloat16
from recsys.training import TrainingDiverged, train
from recsys.training.gradient_checkpointing import enable_gradient_checkpointing
from tests.training.cases import CLASSES, Rows, accuracy, bits, class_loss, classifier, settings


def quickly(model=None, samples=None, loss=class_loss, told=None, **rest):
    samples = samples or Rows()
    return train(model or classifier(), samples, loss, told or settings(), progress=False, **rest)


def test_it_learns():
    samples = Rows()
    result = quickly(samples=samples, told=settings(epochs=30), evaluate=accuracy(samples))
    assert result.best_metric > 0.95
    assert not result.model.training
    assert list(result.history["step"]) == list(range(1, result.steps + 1))


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    def run(seed):
        torch.rand(seed + 5)  # whatever the caller drew before does not matter
        return quickly(classifier(dropout=0.5), told=settings(seed=seed, epochs=3))

    first, again, other = run(0), run(0), run(1)
    assert bits(first.model) == bits(again.model)
    assert first.history.drop(columns="seconds").equals(again.history.drop(columns="seconds"))
    assert bits(first.model) != bits(other.model)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_training_with_advice(value):
    calls = []

    def breaking(model, batch):
        calls.append(1)
        total, n = class_loss(model, batch)
        return (total * value if len(calls) == 3 else total), n

    with pytest.raises(TrainingDiverged, match=r"at step 3, learning rate 0.01; last finite") as caught:
        quickly(loss=breaking, told=settings(schedule="constant", warmup_share=0))
    assert "lower learning_rate" in str(caught.value)
    assert len(caught.value.losses) == 2
    assert len(calls) == 3


def test_a_gradient_that_is_not_finite_is_not_stepped_with():
    def breaking(model, batch):
        total, n = class_loss(model, batch)
        return total + (model[0].weight * 0).abs().sqrt().sum(), n  # 0, but its derivative is not

    model = classifier()
    before = bits(model)
    with pytest.raises(TrainingDiverged, match="gradient norm is nan"):
        quickly(model, loss=breaking)
    assert bits(model) == before
    with pytest.raises(TrainingDiverged, match="the loss is nan"):
        quickly(loss=breaking, told=settings(clip_norm=None))
    with pytest.raises(TrainingDiverged, match="a weight is not finite"):
        quickly(loss=breaking, told=settings(clip_norm=None, max_steps=1))


def test_stops_after_patience_and_gives_back_the_best_weights():
    metrics, seen = iter([0.1, 0.5, 0.5, 0.4, 9.0]), []

    def scripted(model):
        assert not model.training
        assert not torch.is_grad_enabled()
        seen.append(bits(model))
        return next(metrics)

    result = quickly(told=settings(epochs=9, evaluate_every=2, patience=2), evaluate=scripted)
    assert result.stopped_early
    assert (result.best_metric, result.best_step, result.steps) == (0.5, 4, 8)
    assert bits(result.model) == seen[1] != seen[3]
    assert result.history.dropna()["step"].tolist() == [2, 4, 6, 8]


def test_evaluates_at_epoch_ends_and_at_the_end():
    result = quickly(told=settings(epochs=2.5), evaluate=lambda model: 1.0)
    assert result.history.dropna()["step"].tolist() == [4, 8, 10]
    assert result.history["epoch"].iloc[[3, 9]].tolist() == [1.0, 2.5]
    assert (result.best_step, result.stopped_early) == (4, False)


def test_an_evaluation_that_is_nan_is_an_error():
    with pytest.raises(ValueError, match="evaluate returned NaN after step 4"):
        quickly(evaluate=lambda model: math.nan)


def test_nothing_to_train_on_or_to_train():
    with pytest.raises(ValueError, match="samples is empty"):
        train(classifier(), Rows(0), class_loss, settings())
    with pytest.raises(ValueError, match="nothing to train"):
        quickly(classifier().requires_grad_(False))
    with pytest.raises(ValueError, match="0-d sum"):
        quickly(loss=lambda model, batch: (model(batch["x"]), 1))
    with pytest.raises(ValueError, match="counted no sample in step 1"):
        quickly(loss=lambda model, batch: (class_loss(model, batch)[0], 0))
    with pytest.raises(ValueError, match="token_budget needs samples with lengths"):
        quickly(told=settings(token_budget=50))


def test_bf16_runs_on_the_cpu_and_is_not_float32_where_the_processor_has_it():
    kinds = set()

    class Spy(nn.Linear):
        def forward(self, x):
            out = super().forward(x)
            kinds.add(out.dtype)
            return out

    low = quickly(nn.Sequential(Spy(8, CLASSES)), told=settings(mixed_precision="bf16", epochs=5))
    assert kinds == {torch.bfloat16 if has_bfloat16() else torch.float32}
    assert low.model[0].weight.dtype == torch.float32
    assert low.history["loss"].iloc[-1] < low.history["loss"].iloc[0]
    kinds.clear()
    quickly(nn.Sequential(Spy(8, CLASSES)))  # and back again, in the same process
    assert kinds == {torch.float32}


@pytest.mark.skipif(torch.cuda.is_available(), reason="fp16 is refused without a GPU only")
def test_fp16_without_a_gpu_is_refused():
    with pytest.raises(ValueError, match="fp16' needs a GPU"):
        quickly(told=settings(mixed_precision="fp16"))


def test_tensorboard_writes_events(tmp_path):
    quickly(told=settings(tracker="tensorboard"), folder=tmp_path, evaluate=lambda model: 1.0)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "recsys"))
    events.Reload()
    assert len(events.Scalars("loss")) == 8
    assert len(events.Scalars("metric")) == 2


def test_a_tracker_that_cannot_work_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("recsys.training.processes.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install wandb"):
        quickly(told=settings(tracker="wandb"), folder=tmp_path)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="give train a folder"):
        quickly(told=settings(tracker="tensorboard"))


def test_processes_that_accelerate_does_not_join_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="started 2 processes, but accelerate joined 1"):
        quickly()


class Bert(nn.Module):
    """The backbone as `recsys.encoders` wraps one."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        sizes = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 4, "intermediate_size": 64}
        dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        config = BertConfig(**sizes, **dropout, num_attention_heads=2)
        self.backbone = nn.Module()
        self.backbone.model = BertModel(config)
        self.head = nn.Linear(32, 1)

    def forward(self, tokens):
        return self.head(self.backbone.model(input_ids=tokens).last_hidden_state).sum()


def gradients_and_saved_bytes(checkpointed: bool):
    model, saved = Bert().train(), []
    if checkpointed:
        enable_gradient_checkpointing(model)

    def pack(tensor):
        saved.append(tensor.numel() * tensor.element_size())
        return tensor

    tokens = torch.arange(96).reshape(4, 24) % 50
    with saved_tensors_hooks(pack, lambda tensor: tensor):
        total = model(tokens)
    total.backward()
    return [p.grad for p in model.parameters() if p.grad is not None], sum(saved)


def test_gradient_checkpointing_keeps_less_and_changes_nothing():
    plain, much = gradients_and_saved_bytes(False)
    again, little = gradients_and_saved_bytes(True)
    assert little < much / 3
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(plain, again, strict=True))


@pytest.mark.filterwarnings("error::FutureWarning")
def test_gradient_checkpointing_in_training_changes_nothing():
    class Tokens(Rows):
        def collate(self, indices):
            return {"tokens": torch.randint(50, (len(indices), 6))}

    def loss(model, batch):
        return (model(batch["tokens"]) - 1).square(), len(batch["tokens"])

    runs = [
        quickly(Bert(), Tokens(40), loss, settings(head_learning_rate=1e-2, gradient_checkpointing=on))
        for on in (False, True)
    ]
    assert runs[1].model.backbone.model.is_activation_checkpointing
    first, second = (run.history["loss"].to_numpy() for run in runs)
    assert first == pytest.approx(second, rel=1e-5)


def test_gradient_checkpointing_of_a_model_without_is_refused():
    with pytest.raises(ValueError, match="neither Sequential nor its backbone has"):
        quickly(told=settings(gradient_checkpointing=True))


def test_on_step_sees_new_weights_and_the_gradients_of_every_step():
    model, before, seen = classifier(), [], []
    before.append(bits(model))

    def look(step):
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
        assert bits(model) != before[-1]
        before.append(bits(model))
        seen.append(step)

    result = quickly(model, on_step=look, told=settings(schedule="constant", warmup_share=0))
    assert seen == list(range(1, result.steps + 1))
    assert all(p.grad is None for p in model.parameters())
