import pytest
import torch

from recsys.encoders.pooling import pool

HIDDEN = torch.tensor([[[1.0], [3.0], [torch.nan]], [[torch.nan], [5.0], [9.0]]])
MASK = torch.tensor([[1, 1, 0], [0, 1, 1]])


@pytest.mark.parametrize(("how", "expected"), [("mean", [2, 7]), ("cls", [1, 5]), ("last", [3, 9])])
def test_padding_on_either_side_is_ignored(how, expected):
    assert pool(HIDDEN, MASK, how)[:, 0].tolist() == expected


def test_bfloat16_is_summed_in_float32():
    hidden = torch.ones(1, 1000, 2, dtype=torch.bfloat16)
    hidden[0, 0] = 2
    pooled = pool(hidden, torch.ones(1, 1000), "mean")
    assert pooled.dtype == torch.float32
    assert pooled[0, 0].item() == pytest.approx(1.001, abs=1e-6)


def test_no_gradient_reaches_padding():
    hidden = torch.randn(2, 3, 4, requires_grad=True)
    pool(hidden, MASK, "mean").sum().backward()
    assert (hidden.grad[MASK == 0] == 0).all()
    assert (hidden.grad[MASK == 1] == 0.5).all()


def test_empty_row_unknown_word_and_wrong_shapes_are_errors():
    with pytest.raises(ValueError, match=r"row 1 .* no real token"):
        pool(torch.zeros(2, 2, 1), torch.tensor([[1, 0], [0, 0]]), "mean")
    with pytest.raises(ValueError, match="mean, cls, last"):
        pool(HIDDEN, MASK, "max")
    with pytest.raises(ValueError, match=r"\[B, T, D\]"):
        pool(HIDDEN, MASK[:, :2], "mean")
