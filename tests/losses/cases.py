"""Small random cases that the loss tests share."""

import torch
from hypothesis import strategies as st

from recsys.losses.clicks import click_pairs

PRECISE = torch.float64


@st.composite
def cases(draw, largest=9.0):
    """(X [N, d], W [M, d], clicks) in float64; clicks may repeat or be none at all."""
    n_users, n_items = draw(st.integers(1, 9)), draw(st.integers(1, 40))
    width = draw(st.integers(1, 5))
    n_clicks = draw(st.integers(0, 30))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    scale = draw(st.floats(0, largest**0.5))

    def vectors(count):
        return (scale * torch.randn(count, width, generator=generator, dtype=PRECISE)).requires_grad_()

    clicks = click_pairs(
        torch.randint(n_users, (n_clicks,), generator=generator),
        torch.randint(n_items, (n_clicks,), generator=generator),
        n_users,
        n_items,
    )
    return vectors(n_users), vectors(n_items), clicks


def value_and_gradients(loss, *vectors):
    """The loss and its gradients in all vectors, by backward()."""
    value = loss(*vectors)
    return value.detach(), torch.autograd.grad(value, vectors)


def assert_same(found, expected, relative=1e-8):
    """Value and gradients agree, measured against the largest entry of each."""
    (value, gradients), (reference, references) = found, expected
    torch.testing.assert_close(value, reference, rtol=relative, atol=1e-9)
    for gradient, wanted in zip(gradients, references, strict=True):
        torch.testing.assert_close(
            gradient, wanted, rtol=0, atol=relative * max(float(wanted.abs().max()), 1e-3)
        )
