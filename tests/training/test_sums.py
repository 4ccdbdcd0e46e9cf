"""However a step is cut up, it is the same step."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy

from recsys.training import train
from recsys.training.samples import epoch_batches, share
from tests.conftest import ROOT
from tests.training.cases import CLASSES, Rows, accuracy, class_loss, classifier, settings
from tests.training.two_processes import SETTINGS, trained

CLOSE = 1e-5


def curve(samples, loss, model=classifier, **changes) -> np.ndarray:
    told = settings(epochs=4, **changes)
    return train(model(), samples, loss, told, progress=False).history["loss"].to_numpy()


def furthest(samples, loss, model=classifier) -> float:
    """Between batches of 32 and 4 × 8. 109 samples: the last step has 13, 8 and 5."""
    whole = curve(samples, loss, model, batch_size=32, length_buckets=False)
    parts = curve(samples, loss, model, batch_size=8, accumulation=4, length_buckets=False)
    return np.abs(whole - parts).max()


def test_accumulation_equals_the_large_batch_and_means_of_means_would_not():
    def naive(model, batch):
        return cross_entropy(model(batch["x"]), batch["y"]), 1

    assert furthest(Rows(109), class_loss) < CLOSE
    assert furthest(Rows(109), naive) > CLOSE


def test_a_loss_that_counts_other_than_rows():
    def some_rows(model, batch):
        chosen = batch["y"] > 1
        return cross_entropy(model(batch["x"][chosen]), batch["y"][chosen], reduction="sum"), chosen.sum()

    assert furthest(Rows(109), some_rows) < CLOSE


class Sequences:
    """Rows of item codes of uneven length with a class: padded with 0."""

    def __init__(self, n: int = 109):
        stream = np.random.default_rng(0)
        self.lengths = stream.integers(1, 12, n)
        self.rows = [torch.from_numpy(stream.integers(1, 20, length)) for length in self.lengths]
        self.y = torch.tensor([int(row.sum()) % CLASSES for row in self.rows])

    def __len__(self):
        return len(self.rows)

    def collate(self, indices):
        padded = nn.utils.rnn.pad_sequence([self.rows[i] for i in indices], batch_first=True)
        return {"x": padded, "y": self.y[torch.from_numpy(indices)], "attention_mask": (padded > 0).long()}


class Encoder(nn.Module):
    def __init__(self, dropout: float = 0.0):
        super().__init__()
        torch.manual_seed(0)
        self.items = nn.Embedding(20, 16, padding_idx=0)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(16, CLASSES)

    def forward(self, x):
        hidden = self.layers(self.items(x), src_key_padding_mask=x == 0)
        return self.out((hidden * (x > 0)[:, :, None]).sum(1))


def test_accumulation_of_a_transformer_on_padded_sequences():
    assert furthest(Sequences(), class_loss, Encoder) < CLOSE


def test_tokens_are_real_ones():
    samples = Sequences()
    result = train(Encoder(), samples, class_loss, settings(epochs=1), progress=False)
    assert result.history["tokens"].sum() == samples.lengths.sum()
    assert result.history["samples"].sum() == len(samples)
    assert result.tokens_per_second == pytest.approx(samples.lengths.sum() / result.seconds)


def test_two_processes_equal_one(tmp_path):
    target = tmp_path / "two.json"
    launch = ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    options = ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    script = ["-m", "tests.training.two_processes", str(target)]
    run = [sys.executable, "-m", *launch, *options, *script]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    two, one = json.loads(target.read_text()), trained()
    assert two["processes"] == 2
    assert one["samples"] == two["samples"] == [32, 32, 32, 1] * SETTINGS["epochs"]
    for name in ("loss", "tokens", "metric", "weights"):
        np.testing.assert_allclose(two[name], one[name], atol=CLOSE, rtol=0, err_msg=name)


@given(
    n=st.integers(1, 60),
    size=st.integers(1, 20),
    epoch=st.integers(0, 3),
    by_tokens=st.booleans(),
    buckets=st.booleans(),
    processes=st.integers(1, 5),
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_an_epoch_has_every_sample_once(n, size, epoch, by_tokens, buckets, processes):
    samples = Rows(n, lengths=np.random.default_rng(n).integers(1, 9, n))
    changes = {"token_budget": size} if by_tokens else {"batch_size": size}
    told = settings(length_buckets=buckets, **changes)
    batches = epoch_batches(samples, told, epoch)
    assert sorted(np.concatenate(batches)) == list(range(n))
    for batch in batches:
        slices = [share(batch, rank, processes) for rank in range(processes)]
        np.testing.assert_array_equal(np.concatenate(slices), batch)
        if by_tokens and len(batch) > 1:
            assert len(batch) * samples.lengths[batch].max() <= size
        if not by_tokens:
            assert len(batch) <= size
    again = epoch_batches(samples, told, epoch)
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))


def test_epochs_and_seeds_order_differently():
    first, second = (epoch_batches(Rows(), settings(), epoch)[0] for epoch in (0, 1))
    other = epoch_batches(Rows(), settings(seed=1), 0)[0]
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_accuracy_is_of_the_whole_set():
    samples = Rows()
    result = train(classifier(), samples, class_loss, settings(), evaluate=accuracy(samples), progress=False)
    assert result.best_metric == accuracy(samples)(result.model)
