"""Read in buckets, a batch has the vectors, losses and gradients that it has whole."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.histories import histories
from recsys.encoders.item_sequence import ItemSequenceEncoder
from recsys.models.next_item import bucketed_sequence
from recsys.models.next_item.bucketed_sequence import (
    LEAST,
    BucketedEncoder,
    BucketedTitleCosine,
    BucketedTitleSequence,
)
from recsys.models.next_item.title_cosine import TitleCosineSequence
from recsys.models.next_item.title_sequence import TitleSequence
from recsys.training.prefixes import PrefixSamples
from tests.models.next_item.test_title_sequence import QUICK, SPLIT, TITLES

SHAPE = {"width": 8, "layers": 2, "heads": 2, "drop": 0.0, "max_items": 12, "low_pass": 0.7}


def pair():
    """The two encoders with equal weights."""
    torch.manual_seed(0)
    whole = ItemSequenceEncoder(**SHAPE)
    parts = BucketedEncoder(**SHAPE)
    parts.load_state_dict(whole.state_dict())
    return whole, parts


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=5 * LEAST), st.integers(0, 100))
def test_vectors_do_not_depend_on_the_buckets(lengths, seed):
    whole, parts = pair()
    lengths = torch.tensor(lengths)
    vectors = torch.randn(len(lengths), int(lengths.max()), 8, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(parts(vectors, lengths), whole(vectors, lengths), atol=1e-5, rtol=1e-4)


def test_a_large_batch_is_read_in_parts_that_end_at_their_own_longest(monkeypatch):
    _, parts = pair()
    read = []

    def watched(self, vectors, lengths, every_position=False):
        read.append((tuple(vectors.shape[:2]), int(lengths.max())))
        return vectors[:, 0]

    monkeypatch.setattr(bucketed_sequence.ItemSequenceEncoder, "forward", watched)
    lengths = torch.randint(1, 13, (8 * LEAST,))
    parts(torch.randn(len(lengths), 12, 8), lengths)
    assert len(read) == 8
    assert sum(rows for (rows, _), _ in read) == len(lengths)
    assert all(width == longest for (_, width), longest in read)
    read.clear()
    parts(torch.randn(LEAST, 12, 8), lengths[:LEAST])
    assert len(read) == 1


@pytest.mark.parametrize(
    ("whole", "parts"), [(TitleSequence, BucketedTitleSequence), (TitleCosineSequence, BucketedTitleCosine)]
)
def test_loss_and_gradients_are_those_of_the_whole_batch(whole, parts):
    sums = {}
    for model in (whole, parts):
        one = model(TITLES, settings=QUICK, drop=0.0)
        samples = PrefixSamples(histories(SPLIT.train, SPLIT.n_users), 50)
        torch.manual_seed(1)
        network = one.build(SPLIT.n_items).train()
        batch = samples.collate(torch.arange(min(len(samples), 8 * LEAST)).numpy())
        loss, number = one.loss(network, batch)
        loss.backward()
        sums[model] = (loss.item() / number, {n: p.grad for n, p in network.named_parameters()})
    (first, gradients), (second, others) = sums[whole], sums[parts]
    assert first == pytest.approx(second, rel=1e-5)
    assert set(gradients) == set(others)
    for name, gradient in gradients.items():
        torch.testing.assert_close(others[name], gradient, atol=1e-3, rtol=1e-3)
