"""The worst moment of a step: by hand for one linear map, and what makes it lower or higher."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st
from torch import nn

from recsys.training.memory import training_memory
from recsys.training.peak_memory import peak_memory
from tests.training.cases import CLASSES, Rows, bits, class_loss, classifier, settings
from tests.training.test_memory import FLOAT, Chain

ROWS = 4000


def cut(rows: int, parts: int) -> list[dict]:
    batch = Rows(rows + 1).collate(np.arange(rows))
    return [{name: tensor[part::parts] for name, tensor in batch.items()} for part in range(parts)]


def above_the_model(model, parts, loss=class_loss, **told) -> int:
    """Peak without weights and optimiser state."""
    always = training_memory(model, loss, parts[0], settings())
    return peak_memory(model, loss, parts, settings(**told)) - always["weights"] - always["optimizer"]


def test_by_hand():
    # log-probabilities, their gradient, and the gradient of the logits; beside them a few numbers only
    assert above_the_model(nn.Linear(8, CLASSES), cut(ROWS, 1)) == pytest.approx(
        FLOAT * ROWS * 3 * CLASSES, abs=200
    )


def test_accumulation_saves_activations_and_costs_gradients():
    model, numbers = nn.Linear(8, 4000), FLOAT * 9 * 4000

    def squares(model, batch):
        return model(batch["x"]).square().sum(), len(batch["x"])

    one, four = (above_the_model(model, cut(4, parts), squares) for parts in (1, 4))
    assert numbers < one < four  # one row's 4,000 numbers are few beside 36,000 accumulated gradients
    plain, accumulated = (above_the_model(Chain(), cut(ROWS, parts)) for parts in (1, 4))
    assert accumulated == pytest.approx(plain / 4, rel=0.02)


def test_recomputing_lowers_the_peak_by_all_but_one_segment():
    kept, recomputed = (
        above_the_model(Chain(), cut(ROWS, 1), gradient_checkpointing=on) for on in (False, True)
    )
    assert kept - recomputed == pytest.approx(FLOAT * ROWS * 2 * 16, rel=0.01)


@given(st.integers(1, 60), st.integers(1, 4), st.booleans())
@tries(max_examples=15, deadline=None)
def test_lies_between_what_is_always_there_and_all_at_once(rows, parts, clip):
    model, batches = Chain(), cut(4 * rows, parts)
    counted = training_memory(model, class_loss, batches[0], settings())
    peak = peak_memory(model, class_loss, batches, settings(clip_norm=1.0 if clip else None))
    batch = sum(tensor.nbytes for tensor in batches[0].values())
    activations = counted["activations"] - batch
    assert peak > counted["weights"] + counted["optimizer"] + activations
    # for a moment the backward pass holds three matrices of 16 columns, and a gradient twice
    moment = 3 * FLOAT * 16 * len(batches[0]["x"]) + counted["gradients"] + 1000
    assert peak < sum(counted.values()) + moment


def test_the_model_is_left_as_it_was():
    model = classifier(dropout=0.5)
    before, drawn = bits(model), torch.random.get_rng_state()
    peak_memory(model, class_loss, cut(32, 2), settings())
    assert bits(model) == before
    assert torch.equal(torch.random.get_rng_state(), drawn)
    with pytest.raises(ValueError, match="at least one micro-batch"):
        peak_memory(model, class_loss, [], settings())
