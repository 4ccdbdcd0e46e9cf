import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.losses.chunked_likelihood import BLOCK_USERS
from recsys.losses.click_likelihood import (
    gradient_by_hand,
    l2_penalty,
    negative_log_likelihood,
    printed_loss,
    table_loss,
)
from recsys.losses.clicks import click_pairs
from tests.losses.cases import PRECISE, assert_same, cases, value_and_gradients

CHUNKS = st.one_of(st.none(), st.integers(1, 50))


def random_case(n_users, n_items, width, dtype=PRECISE, scale=1.0):
    generator = torch.Generator().manual_seed(3)
    clicks = click_pairs(
        torch.arange(n_users).repeat_interleave(3),
        torch.randint(n_items, (3 * n_users,), generator=generator),
        n_users,
        n_items,
    )
    users = scale * torch.randn(n_users, width, generator=generator, dtype=PRECISE)
    items = scale * torch.randn(n_items, width, generator=generator, dtype=PRECISE)
    return users.to(dtype).requires_grad_(), items.to(dtype).requires_grad_(), clicks


@settings(deadline=None, max_examples=50)
@given(cases(), CHUNKS)
def test_chunks_give_the_formula_and_its_gradients(case, chunk):
    users, items, clicks = case
    found = value_and_gradients(
        lambda x, w: negative_log_likelihood(x, w, clicks, chunk_items=chunk), users, items
    )
    assert_same(found, value_and_gradients(lambda x, w: table_loss(x, w, clicks), users, items))
    value, _ = found
    assert_same((value, gradient_by_hand(users.detach(), items.detach(), clicks)), found)


@settings(deadline=None, max_examples=50)
@given(cases(), CHUNKS, st.floats(0.01, 3))
def test_negatives_may_weigh_less(case, chunk, weight):
    users, items, clicks = case

    def weighted(x, w):
        positives = -printed_loss(x, w, clicks)
        return positives + weight * (table_loss(x, w, clicks) - positives)

    found = value_and_gradients(
        lambda x, w: negative_log_likelihood(x, w, clicks, weight, chunk), users, items
    )
    assert_same(found, value_and_gradients(weighted, users, items), relative=1e-8)


def test_finite_differences_agree():
    users, items, clicks = random_case(4, 11, 3)
    for chunk in (None, 4):
        assert torch.autograd.gradcheck(
            lambda x, w, chunk=chunk: negative_log_likelihood(x, w, clicks, 0.5, chunk), (users, items)
        )
    assert torch.autograd.gradcheck(lambda x, w: printed_loss(x, w, clicks), (users, items))


def test_fixed_features_ask_for_no_gradient_of_their_own():
    users, items, clicks = random_case(6, 30, 4)
    expected = torch.autograd.grad(table_loss(users, items, clicks), items)[0]
    negative_log_likelihood(users.detach(), items, clicks, chunk_items=7).backward()
    torch.testing.assert_close(items.grad, expected)
    assert users.grad is None


def test_more_users_than_a_block_holds():
    case = random_case(2 * BLOCK_USERS + 5, 17, 2)
    users, items, clicks = case
    found = value_and_gradients(
        lambda x, w: negative_log_likelihood(x, w, clicks, chunk_items=8), users, items
    )
    assert_same(found, value_and_gradients(lambda x, w: table_loss(x, w, clicks), users, items))


def test_threads_change_nothing_but_rounding_and_are_put_back():
    users, items, clicks = random_case(20, 300, 5, torch.float32)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 3, 3):
            torch.set_num_threads(threads)
            found = value_and_gradients(
                lambda x, w: negative_log_likelihood(x, w, clicks, chunk_items=16), users, items
            )
            results.append(found)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert_same(results[0], results[1], relative=1e-5)
    assert results[1][0] == results[2][0]
    assert all(torch.equal(a, b) for a, b in zip(results[1][1], results[2][1], strict=True))


@pytest.mark.parametrize("score", [-80.0, -30.0, -12.0, -1e-6, 0.0, 5.0, 20.0, 80.0])
def test_single_precision_keeps_small_and_large_scores(score):
    """The folded logarithms lose neither a tiny probability nor one close to 1."""
    users = torch.ones(8, 1)
    clicks = click_pairs([], [], 8, 64)
    loss = negative_log_likelihood(users, torch.full((64, 1), score), clicks)
    softplus = max(score, 0) + math.log1p(math.exp(-abs(score)))
    assert float(loss) == pytest.approx(64 * softplus, rel=5e-6)


def test_single_precision_gradient_is_close_to_double():
    users, items, clicks = random_case(200, 5000, 32, torch.float32, scale=0.5)
    _, found = value_and_gradients(
        lambda x, w: negative_log_likelihood(x, w, clicks, chunk_items=512), users, items
    )
    expected = gradient_by_hand(users.detach().double(), items.detach().double(), clicks)
    for gradient, wanted in zip(found, expected, strict=True):
        assert float((gradient.double() - wanted).norm() / wanted.norm()) < 2e-6


def test_upstream_factor_and_second_backward():
    users, items, clicks = random_case(3, 5, 2)
    loss = negative_log_likelihood(users, items, clicks)
    (3 * loss).backward(retain_graph=True)
    once = items.grad.clone()
    loss.backward()
    torch.testing.assert_close(items.grad, once * 4 / 3)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_printed_loss_falls_without_end_and_its_negative_wants_f_to_be_one():
    users, clicks = torch.ones(4, 1), click_pairs([0, 1, 2, 3], [0, 0, 1, 2], 4, 3)
    steps = [float(printed_loss(users, torch.full((3, 1), s), clicks)) for s in (0.0, -10.0, -100.0, -1e4)]
    assert steps == pytest.approx([-math.log(2), -10.0, -100.0, -1e4], rel=1e-4)
    assert float(printed_loss(users, torch.full((3, 1), 50.0), clicks)) == pytest.approx(0, abs=1e-6)


def test_wrong_arguments_are_refused():
    users, items, clicks = random_case(3, 5, 2)
    with pytest.raises(ValueError, match="negative_weight must be above 0"):
        negative_log_likelihood(users, items, clicks, negative_weight=0)
    with pytest.raises(ValueError, match="chunk_items must be at least 1"):
        negative_log_likelihood(users, items, clicks, chunk_items=0)
    with pytest.raises(ValueError, match="is W transposed"):
        negative_log_likelihood(users, items.t(), clicks)
    with pytest.raises(ValueError, match="rewards large weights"):
        l2_penalty(items, -1.0)
    assert float(l2_penalty(items.detach(), 0.5)) == pytest.approx(0.5 * float(items.detach().norm()) ** 2)
