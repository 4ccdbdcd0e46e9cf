"""The graded loss by hand, and its gradient."""

import math

import pytest
import torch

from recsys.losses.cosine_order import cosine_order_loss


def test_by_hand():
    cosines, grades = torch.tensor([0.9, 0.5, 0.1]), torch.tensor([1.0, 3.0, 1.0])
    expected = math.log(1 + math.exp(2 * (0.9 - 0.5)) + math.exp(2 * (0.1 - 0.5)))
    assert cosine_order_loss(cosines, grades, scale=2).item() == pytest.approx(expected)


def test_only_the_order_of_grades_counts_and_equal_ones_teach_nothing():
    cosines = torch.rand(8)
    grades = torch.tensor([1.0, 2, 3, 4, 1, 2, 3, 4])
    torch.testing.assert_close(cosine_order_loss(cosines, grades), cosine_order_loss(cosines, grades**3))
    assert cosine_order_loss(cosines, torch.ones(8)).item() == 0


def test_gradient():
    cosines = torch.rand(6, dtype=torch.float64, requires_grad=True)
    grades = torch.tensor([1.0, 2, 3, 1, 2, 3])
    assert torch.autograd.gradcheck(lambda c: cosine_order_loss(c, grades, 5.0), (cosines,))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((torch.ones(2), torch.ones(3)), "both be"), ((torch.ones(2), torch.ones(2), 0), "above 0")],
)
def test_wrong_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        cosine_order_loss(*arguments)
