import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.losses.clicks import click_pairs
from recsys.losses.pairwise import bayesian_personalised_ranking, draw_negatives
from tests.losses.cases import PRECISE, cases


@settings(deadline=None, max_examples=50)
@given(cases(), st.integers(1, 4), st.integers(0, 99))
def test_the_formula_written_as_loops(case, per_pair, seed):
    users, items, clicks = case
    generator = torch.Generator().manual_seed(seed)
    negatives = torch.randint(clicks.n_items, (len(clicks.items), per_pair), generator=generator)
    expected = 0.0
    for user, item, count, others in zip(clicks.users, clicks.items, clicks.counts, negatives, strict=True):
        margins = users[user] @ items[item] - items[others] @ users[user]
        expected -= float((count * torch.log(torch.sigmoid(margins)).mean()).detach())
    found = bayesian_personalised_ranking(users, items, clicks, negatives)
    assert float(found.detach()) == pytest.approx(expected / clicks.n_users, rel=1e-9, abs=1e-12)


def test_finite_differences_agree():
    generator = torch.Generator().manual_seed(5)
    users = torch.randn(3, 2, generator=generator, dtype=PRECISE, requires_grad=True)
    items = torch.randn(6, 2, generator=generator, dtype=PRECISE, requires_grad=True)
    clicks = click_pairs([0, 1, 1, 2], [5, 0, 0, 3], 3, 6)
    negatives = draw_negatives(clicks, 2, generator)
    assert torch.autograd.gradcheck(
        lambda x, w: bayesian_personalised_ranking(x, w, clicks, negatives), (users, items)
    )


@settings(deadline=None, max_examples=50)
@given(cases(), st.integers(1, 5), st.integers(0, 99))
def test_negatives_were_not_clicked(case, per_pair, seed):
    _, _, clicks = case
    clicked = set(zip(clicks.users.tolist(), clicks.items.tolist(), strict=True))
    generator = torch.Generator().manual_seed(seed)
    if any(sum(u == user for u, _ in clicked) == clicks.n_items for user in range(clicks.n_users)):
        with pytest.raises(ValueError, match="clicked every item"):
            draw_negatives(clicks, per_pair, generator)
        return
    drawn = draw_negatives(clicks, per_pair, generator)
    assert drawn.shape == (len(clicks.items), per_pair)
    assert not clicked & {
        (u, i) for u, row in zip(clicks.users.tolist(), drawn.tolist(), strict=True) for i in row
    }


def test_negatives_cover_everything_that_was_not_clicked():
    clicks = click_pairs([0, 0, 1], [1, 3, 0], 2, 5)
    drawn = draw_negatives(clicks, 400, torch.Generator().manual_seed(0))
    of_user = {u: set(drawn[clicks.users == u].flatten().tolist()) for u in (0, 1)}
    assert of_user == {0: {0, 2, 4}, 1: {1, 2, 3, 4}}


def test_wrong_arguments_are_refused():
    users, items, clicks = torch.zeros(2, 3), torch.zeros(5, 3), click_pairs([0], [1], 2, 5)
    with pytest.raises(ValueError, match="1 clicked pairs, at least 1"):
        bayesian_personalised_ranking(users, items, clicks, torch.zeros(2, 1, dtype=torch.int64))
    with pytest.raises(ValueError, match="outside 0 to 4"):
        bayesian_personalised_ranking(users, items, clicks, torch.tensor([[5]]))
    with pytest.raises(ValueError, match="at least one negative"):
        draw_negatives(clicks, 0, torch.Generator())
