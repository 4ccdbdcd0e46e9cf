"""In-batch softmax against the formula written out."""

import math

import pytest
import torch

from recsys.losses.contrastive import in_batch_softmax


def naive(a, b, scale):
    total = 0.0
    for i in range(len(a)):
        scores = [scale * (a[i] @ b[j]).item() / (a[i].norm() * b[j].norm()).item() for j in range(len(b))]
        total -= scores[i] - math.log(sum(math.exp(score) for score in scores))
    return total


def batch(n=7, width=5, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(n, width, generator=generator, dtype=dtype) for _ in range(2))


@pytest.mark.parametrize("scale", [1.0, 20.0])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_it_is_the_formula(n, scale):
    a, b = batch(n)
    value = in_batch_softmax(a, b, scale)
    assert value.ndim == 0
    assert value.item() == pytest.approx(naive(a, b, scale), abs=1e-12)


def test_it_is_sentence_transformers_loss():
    losses = pytest.importorskip("sentence_transformers.sentence_transformer.losses")
    a, b = batch(dtype=torch.float32)
    theirs = losses.MultipleNegativesRankingLoss(None).compute_loss_from_embeddings([a, b], None)
    torch.testing.assert_close(in_batch_softmax(a, b) / len(a), theirs)


def test_finite_differences_agree():
    a, b = batch(4, 3)
    assert torch.autograd.gradcheck(in_batch_softmax, (a.requires_grad_(), b.requires_grad_()))


def test_lengths_of_vectors_do_not_matter_and_bf16_is_widened():
    a, b = batch()
    torch.testing.assert_close(in_batch_softmax(3 * a, b / 7), in_batch_softmax(a, b))
    a, b = (x.to(torch.bfloat16) for x in (a, b))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = in_batch_softmax(a, b)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(naive(a.double(), b.double(), 20.0), rel=1e-5)


def test_two_halves_do_not_add_up_to_the_batch():
    a, b = batch(8)
    halves = in_batch_softmax(a[:4], b[:4]) + in_batch_softmax(a[4:], b[4:])
    assert halves < in_batch_softmax(a, b)  # fewer negatives, easier


def test_wrong_shapes_and_scales_are_refused():
    a, b = batch()
    with pytest.raises(ValueError, match=r"must both be \[B, D\]"):
        in_batch_softmax(a, b[:3])
    with pytest.raises(ValueError, match=r"must both be \[B, D\]"):
        in_batch_softmax(a[0], b[0])
    with pytest.raises(ValueError, match="scale must be above 0"):
        in_batch_softmax(a, b, 0.0)
