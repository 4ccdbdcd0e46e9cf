"""Tricks on a small model: the same training for less memory, and what memory is computed to hold."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from recsys.benchmarks.resources.training_tricks import (
    PLAIN,
    STAGES,
    TRICKS,
    first_too_large,
    full_batch,
    megabytes_per_text,
    memory_by_batch,
    settings_of,
    step_memory,
    trained_quality,
)
from recsys.compression.distillation import TextTargets, regression_loss
from recsys.encoders.processor_precision import has_bfloat16
from recsys.training.samples import epoch_batches
from tests.shop_texts import QUERIES, TITLES


def test_what_each_trick_saves(bert):
    found = step_memory(bert, 16, tokens=64)
    assert found.index.tolist() == [*TRICKS, STAGES]
    plain = found.loc[PLAIN]
    assert plain["memory_ratio"] == 1
    nothing_saved = [PLAIN] if has_bfloat16() else [PLAIN, "bf16"]  # which stays in float32 there
    assert (found["memory_ratio"].drop(nothing_saved) < 1).all()
    assert found.loc["accumulation", "activations"] == pytest.approx(plain["activations"] / 4, rel=0.02)
    assert found.loc["checkpointing", "activations"] < plain["activations"]
    # its gradients are there from the second part on
    assert found.loc["accumulation", "peak"] > found.loc["accumulation", :"activations"].sum()
    assert plain["peak"] < plain[:"activations"].sum()
    one_kind = ["weights", "gradients", "optimizer"]
    same = found.drop(STAGES)
    assert (same[one_kind] == plain[one_kind]).all(axis=None)
    assert (found.loc[STAGES, one_kind] < plain[one_kind]).all()


def test_bytes_grow_by_the_text(bert):
    found = memory_by_batch(bert, [8, 16, 32], tokens=64)
    slope = megabytes_per_text(found)
    assert slope == pytest.approx(found["peak"].diff().iloc[1] / 8, rel=0.03)
    fails = first_too_large(found, free=400)
    assert (
        found["peak"].iloc[-1] + slope * (fails - 32) > 400 >= found["peak"].iloc[-1] + slope * (fails - 33)
    )
    assert memory_by_batch(bert, [64], tokens=64)["peak"].item() == pytest.approx(
        found["peak"].iloc[-1] + 32 * slope, rel=0.01
    )


def test_first_too_large_by_hand():
    counted = pd.DataFrame({"texts": [8, 2, 4], "peak": [18.0, 12.0, 14.0]})  # 10 and 1 a text
    assert megabytes_per_text(counted) == 1
    assert first_too_large(counted, free=20.5) == 11
    assert first_too_large(counted, free=20.0) == 11  # 10 texts need just so much
    assert first_too_large(counted, free=12.5) == 3


def test_parts_of_a_step_have_the_texts_of_the_whole(bert):
    targets = torch.nn.functional.normalize(torch.ones(len(TITLES), bert.width), dim=1).numpy()
    samples = TextTargets(bert, TITLES, targets)
    whole, cut = (replace(settings_of(name, 8), seed=5) for name in (PLAIN, "accumulation"))
    assert (cut.batch_size, cut.accumulation) == (2, 4)
    steps, parts = (epoch_batches(samples, told, epoch=0) for told in (whole, cut))
    assert np.concatenate(parts).tolist() == np.concatenate(steps).tolist()


def test_the_same_is_learnt(bert):
    texts = TITLES[:24]
    found = trained_quality(bert, texts, QUERIES, layers=1, steps=4, batch=8, seed=1)
    assert found.index.tolist() == ["start", *TRICKS]
    ratios = found["cosine_ratio"]
    assert ratios[PLAIN] == 1
    assert found.loc["start", "cosine"] < found.loc[PLAIN, "cosine"] < 1
    for exact in ("accumulation", "checkpointing", "accumulation+checkpointing"):
        assert ratios[exact] == pytest.approx(1, abs=1e-5)
    assert ratios["bf16"] == pytest.approx(1, abs=5e-3)
    # one layer is one segment, and few texts are little beside the table of words
    assert found.loc["accumulation", "student_memory_ratio"] > 1
    assert found.loc[PLAIN, ["seconds_ratio", "student_memory_ratio"]].tolist() == [1, 1]


def test_numbers_are_checked(bert):
    for batch in (0, 2, 10):
        with pytest.raises(ValueError, match="cut into 4"):
            settings_of("bf16", batch)
    with pytest.raises(ValueError, match="unknown trick"):
        settings_of("luck", 8)
    for texts, tokens in ((0, 8), (4, 0), (4, bert.max_tokens + 1)):
        with pytest.raises(ValueError, match="are needed"):
            full_batch(bert, texts, tokens)
    batch = full_batch(bert, 3, 5)
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (3, 5)
    assert torch.isfinite(regression_loss(bert, batch)[0])
