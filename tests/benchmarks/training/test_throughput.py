"""Pairs of texts, their loss in parts, and the loops compared, with a small random network."""

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from recsys.benchmarks.training import flops as training_flops
from recsys.benchmarks.training.flops import gemm_rate, useful_flops
from recsys.benchmarks.training.loops import LOOPS, Pairs, Task
from recsys.benchmarks.training.throughput import _run, compare_loops, validation_metric
from recsys.data.histories import histories
from recsys.encoders.backbone import load_backbone
from recsys.encoders.length_batches import length_batches
from recsys.encoders.processor_precision import has_bfloat16
from recsys.losses.contrastive import in_batch_softmax
from recsys.training import contrastive_samples
from recsys.training.contrastive_samples import TextPairs, contrastive_loss, encode_by_length, title_pairs

WORDS = ["red", "blue", "old", "new", "soft", "warm", "shoe", "shirt", "hat", "coat", "for", "men", "women"]


def texts(n, seed):
    stream = np.random.default_rng(seed)
    return [" ".join(stream.choice(WORDS, stream.integers(1, 15))) for _ in range(n)]


def pairs(n=48, seed=0):
    return Pairs(texts(n, seed), texts(n, seed + 1))


def without_dropout(name="random-bert"):
    backbone = load_backbone(name)
    backbone.model.config.hidden_dropout_prob = backbone.model.config.attention_probs_dropout_prob = 0.0
    for module in backbone.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return backbone


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setattr(training_flops, "GEMM_SECONDS", 0.01)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_pairs_are_samples():
    backbone = load_backbone("random-bert")
    samples = TextPairs(backbone, ["red shoe", "hat"], ["blue", "a warm old coat"], max_tokens=8)
    assert len(samples) == 2
    assert samples.lengths.tolist() == [4 + 3, 3 + 6]  # with two special tokens each
    batch = samples.collate(np.array([1, 0]))
    assert batch["left_input_ids"].shape == (2, 4)
    assert batch["right_attention_mask"].sum(1).tolist() == [6, 3]
    with pytest.raises(ValueError, match="2 left texts and 1 right ones"):
        TextPairs(backbone, ["a", "b"], ["c"])


@pytest.mark.parametrize("name", ["random-bert", "random-gpt"])  # padded on the right, on the left
@pytest.mark.parametrize("part", [1, 40, 10**6])
def test_parts_give_the_vectors_and_gradients_of_whole_batches(name, part, monkeypatch):
    backbone = load_backbone(name)
    monkeypatch.setitem(contrastive_samples.PARTS, "cpu", part)
    batch = TextPairs(backbone, *vars(pairs()).values()).collate(np.arange(20))
    sides = [(batch[f"{side}_input_ids"], batch[f"{side}_attention_mask"]) for side in ("left", "right")]
    expected = [backbone(*side) for side in sides]
    found = encode_by_length(backbone, *zip(*sides, strict=True))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    loss, count = contrastive_loss(backbone, batch)
    assert count == 20
    weights = list(backbone.parameters())
    theirs = torch.autograd.grad(in_batch_softmax(*expected), weights, allow_unused=True)
    ours = torch.autograd.grad(loss, weights, allow_unused=True)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-3)


def test_parts_save_padding():
    lengths = np.array([64] + [10] * 127)
    padded = sum(len(rows) * lengths[rows].max() for rows in length_batches(lengths, token_budget=512))
    assert padded < 0.25 * 64 * 128


def test_title_pairs_are_consecutive_purchases_of_one_user():
    events = pd.DataFrame(
        {"user": [0, 0, 0, 2, 2, 2, 3], "item": [0, 1, 2, 3, 3, 4, 0], "order": [0, 1, 2, 0, 1, 2, 0]}
    )
    known = histories(events, 5)  # users 1 and 4 bought nothing
    left, right = title_pairs(known, ["a", "b", "c", "d", "e"])
    assert sorted(zip(left, right, strict=True)) == [("a", "b"), ("b", "c"), ("d", "e")]
    left, right = title_pairs(known, ["a", None, "c", "d", float("nan")])
    assert (left, right) == ([], [])
    limited = title_pairs(known, list("abcde"), limit=2, seed=1)
    assert len(limited[0]) == 2
    assert limited == title_pairs(known, list("abcde"), limit=2, seed=1)
    assert title_pairs(histories(events[:0], 3), []) == ([], [])
    with pytest.raises(ValueError, match="hold item 4, but there are 2 titles"):
        title_pairs(known, ["a", "b"])
    with pytest.raises(ValueError, match="limit must be at least 1"):
        title_pairs(known, list("abcde"), limit=0)


def test_every_loop_takes_the_same_step():
    """One batch of all pairs, no dropout: order does not matter, so the loops must agree on the weights."""
    pytest.importorskip("datasets")
    start = without_dropout()
    task = Task(pairs(), 48, 64, 1e-3, seed=0)
    before = torch.cat([p.detach().flatten() for p in start.parameters()])
    moved = {}
    for loop in ("kit", *LOOPS):  # bf16 first: what accelerate keeps of it must not reach the others
        _, trained = _run(loop, start, task)
        moved[loop] = torch.cat([p.detach().flatten() for p in trained.parameters()]) - before
    assert torch.equal(before, torch.cat([p.detach().flatten() for p in start.parameters()]))
    plain = moved["plain fp32"]
    assert plain.abs().max() == pytest.approx(1e-3, rel=1e-2)  # Adam's first step: the rate, or nothing
    # where a gradient is all but 0, rounding decides how far Adam goes
    for loop in ("sentence-transformers", "kit fp32"):
        assert ((moved[loop] - plain).abs() < 1e-5).float().mean() > 0.995, loop
    for loop in ("kit", "sentence-transformers bf16"):
        assert torch.cosine_similarity(moved[loop], plain, dim=0) > 0.9, loop
        in_float32 = torch.equal(moved[loop], moved["kit fp32"])
        assert in_float32 != has_bfloat16() or loop != "kit", f"{loop} must compute in bfloat16"


def test_compare_loops():
    loops = ["plain fp32", "kit fp32", "kit"]
    start, held = load_backbone("random-bert"), pairs(12, seed=7)
    threads, generator = torch.get_num_threads(), torch.get_rng_state()
    frame = compare_loops(start, pairs(), held, steps=2, rounds=2, batch_size=8, loops=loops)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), generator)
    assert frame["loop"].tolist() == loops * 2
    assert frame["round"].tolist() == [0, 0, 0, 1, 1, 1]
    assert frame["real_tokens"].nunique() == 1
    np.testing.assert_allclose(frame["tokens_per_second"], frame["real_tokens"] / frame["seconds"])
    assert (frame.loc[frame["loop"] == "plain fp32", ["ratio", "cpu_ratio"]] == 1).all(axis=None)
    assert frame["share_of_limit"].between(0, 1, inclusive="neither").all()
    assert frame["metric"].between(0, 1).all()
    alone = compare_loops(start, pairs(), steps=1, rounds=1, batch_size=8, loops=["kit"])
    assert alone[["ratio", "cpu_ratio", "metric"]].isna().all(axis=None)


def test_sentence_transformers_trainer_runs_in_its_turn(capsys):
    pytest.importorskip("datasets")
    loops = ["sentence-transformers", "plain fp32"]
    start = load_backbone("random-bert")
    frame = compare_loops(start, pairs(), pairs(9, 5), steps=2, rounds=1, batch_size=8, loops=loops)
    assert frame["loop"].tolist() == loops
    assert np.isfinite(frame.drop(columns="loop").to_numpy(dtype=float)).all()
    printed = capsys.readouterr()
    assert "train_runtime" not in printed.out
    assert "example" not in printed.err


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match=r"needs the package datasets, .* pip install"):
        compare_loops(load_backbone("random-bert"), pairs(), steps=1, rounds=1, batch_size=8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"batch_size": 1}, "batch_size must be at least 2"),
        ({"steps": 7, "batch_size": 8}, "7 steps of 8 need 56 pairs, got 48"),
        ({"loops": ["kti"]}, "got kti"),
        ({"loops": []}, "got none"),
    ],
)
def test_wrong_requests_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        compare_loops(load_backbone("random-bert"), pairs(), **changes)


def test_the_metric_is_the_mean_reciprocal_rank():
    backbone = load_backbone("random-bert")
    held = Pairs(["red shoe", "blue hat", "coat"], ["red shoe", "blue hat", "coat"])
    assert validation_metric(backbone, held) == 1
    turned = Pairs(held.left, ["blue hat", "coat", "red shoe"])
    assert validation_metric(backbone, turned) <= 0.5
    assert validation_metric(backbone, Pairs(held.left, ["hat"] * 3)) == 1  # all of them are right


def test_flops_by_hand():
    backbone = load_backbone("random-bert")
    layer = 4 * 64 * 64 + 2 * 64 * 256
    attention = 4 * 2 * 64 * (3**2 + 5**2)
    assert useful_flops(backbone, np.array([3, 5])) == 3 * (2 * 2 * layer * 8 + attention)
    assert gemm_rate(backbone, 16, torch.float32, seconds=0.01) > 0
