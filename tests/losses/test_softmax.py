import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.losses.clicks import click_pairs
from recsys.losses.softmax import sampled_softmax, softmax_cross_entropy, table_cross_entropy
from tests.losses.cases import PRECISE, assert_same, cases, value_and_gradients


@settings(deadline=None, max_examples=50)
@given(cases(), st.one_of(st.none(), st.integers(1, 50)), st.sampled_from([1e-6, 5e-4, 800.0]))
def test_chunks_and_blocks_give_the_formula_and_its_gradients(case, chunk, buffer_mb):
    users, items, clicks = case
    found = value_and_gradients(
        lambda x, w: softmax_cross_entropy(x, w, clicks, buffer_mb, chunk), users, items
    )
    assert_same(found, value_and_gradients(lambda x, w: table_cross_entropy(x, w, clicks), users, items))


@pytest.mark.parametrize("scale", [1.0, 30.0, 300.0])
def test_scores_far_beyond_exp_are_shifted(scale):
    generator = torch.Generator().manual_seed(1)
    clicks = click_pairs(torch.arange(6), torch.arange(6), 6, 50)
    users = (scale * torch.randn(6, 3, generator=generator)).requires_grad_()
    items = torch.randn(50, 3, generator=generator).requires_grad_()
    found = value_and_gradients(lambda x, w: softmax_cross_entropy(x, w, clicks, chunk_items=8), users, items)
    exact = value_and_gradients(
        lambda x, w: table_cross_entropy(x, w, clicks),
        users.detach().double().requires_grad_(),
        items.detach().double().requires_grad_(),
    )
    value, gradients = found
    assert_same((value.double(), [g.double() for g in gradients]), exact, relative=2e-4)


def test_finite_differences_agree():
    generator = torch.Generator().manual_seed(5)
    users = torch.randn(4, 3, generator=generator, dtype=PRECISE, requires_grad=True)
    items = torch.randn(9, 3, generator=generator, dtype=PRECISE, requires_grad=True)
    clicks = click_pairs([0, 0, 1, 3, 3], [2, 2, 4, 0, 8], 4, 9)
    assert torch.autograd.gradcheck(
        lambda x, w: softmax_cross_entropy(x, w, clicks, chunk_items=4), (users, items)
    )
    sampled = torch.tensor([0, 2, 2, 7])
    uniform = torch.full((9,), 1 / 9).log()
    assert torch.autograd.gradcheck(
        lambda x, w: sampled_softmax(x, w, clicks, sampled, uniform), (users, items)
    )


def test_fixed_features_ask_for_no_gradient_of_their_own():
    users, items = torch.randn(4, 3), torch.randn(9, 3, requires_grad=True)
    clicks = click_pairs([0, 1], [2, 3], 4, 9)
    expected = torch.autograd.grad(table_cross_entropy(users, items, clicks), items)[0]
    softmax_cross_entropy(users, items, clicks).backward()
    torch.testing.assert_close(items.grad, expected)


@settings(deadline=None, max_examples=50)
@given(cases())
def test_sampling_every_item_once_is_the_full_softmax(case):
    users, items, clicks = case
    everything = torch.arange(clicks.n_items)
    uniform = torch.full((clicks.n_items,), 1 / clicks.n_items, dtype=PRECISE).log()
    found = value_and_gradients(lambda x, w: sampled_softmax(x, w, clicks, everything, uniform), users, items)
    assert_same(found, value_and_gradients(lambda x, w: table_cross_entropy(x, w, clicks), users, items))


def test_the_estimate_of_the_normaliser_is_unbiased_under_a_skewed_proposal():
    generator = torch.Generator().manual_seed(2)
    items = torch.randn(12, 3, generator=generator, dtype=PRECISE)
    user = torch.randn(1, 3, generator=generator, dtype=PRECISE)
    clicks = click_pairs([0], [4], 1, 12)
    proposal = torch.rand(12, generator=generator, dtype=PRECISE) + 0.2
    proposal /= proposal.sum()
    own = float(user[0] @ items[4])
    estimates = torch.stack(
        [sampled_softmax(user, items, clicks, torch.tensor([j]), proposal.log()) + own for j in range(12)]
    ).exp()
    exact = (user @ items.t()).exp().sum()
    torch.testing.assert_close((estimates * proposal).sum(), exact)


def test_wrong_arguments_are_refused():
    users, items, clicks = torch.zeros(2, 3), torch.zeros(5, 3), click_pairs([0], [1], 2, 5)
    with pytest.raises(ValueError, match="buffer_mb must be above 0"):
        softmax_cross_entropy(users, items, clicks, buffer_mb=0)
    with pytest.raises(ValueError, match="chunk_items must be at least 1"):
        softmax_cross_entropy(users, items, clicks, chunk_items=-1)
    with pytest.raises(ValueError, match="at least one item code"):
        sampled_softmax(users, items, clicks, torch.empty(0, dtype=torch.int64), torch.zeros(5))
    with pytest.raises(ValueError, match="one number for each of the 5 items"):
        sampled_softmax(users, items, clicks, torch.tensor([1]), torch.zeros(4))
    with pytest.raises(ValueError, match="cannot have come from this q"):
        sampled_softmax(users, items, clicks, torch.tensor([1]), torch.full((5,), -torch.inf))
