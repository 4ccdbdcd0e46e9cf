"""The Transformer over items against its formula in float64, and what it may look at."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import embedding

from recsys.encoders.item_sequence import ItemSequenceEncoder, low_pass_matrices

WIDTH, LONGEST = 8, 12
LENGTHS = [1, 2, 5, 6, 12, 3]


def encoder(low_pass=0.0, layers=2, drop=0.5, seed=0, **rest):
    torch.manual_seed(seed)
    made = ItemSequenceEncoder(WIDTH, layers, 2, drop, LONGEST, low_pass, **rest)
    with torch.no_grad():  # far from the small start, where every layer does next to nothing
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return made.eval()


def batch(lengths=LENGTHS, seed=1):
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(len(lengths), max(lengths), WIDTH, generator=stream), torch.tensor(lengths)


def by_fft(sequence, frequencies):
    spectrum = np.fft.rfft(sequence, axis=0)
    spectrum[frequencies:] = 0
    return np.fft.irfft(spectrum, n=len(sequence), axis=0)


def gelu(x):
    return x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def by_formula(made, vectors, frequencies=3, look_back=True):
    """All states [L, d] of one history [L, d], step by step, in float64."""
    weights = {name: value.detach().double().numpy() for name, value in made.state_dict().items()}

    def linear(name, x):
        return x @ weights[name + ".weight"].T + weights[name + ".bias"]

    def norm(name, x):
        x = x - x.mean(axis=1, keepdims=True)
        x = x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-5)
        return x * weights[name + ".weight"] + weights[name + ".bias"]

    states = norm("input_norm", vectors.double().numpy() + weights["places.weight"][: len(vectors)][::-1])
    for number, layer in enumerate(made.layers):
        own = f"layers.{number}."
        query, key, value = np.split(linear(own + "query_key_value", states), 3, axis=1)
        attended, size = np.zeros_like(states), WIDTH // layer.heads
        for head in range(layer.heads):
            columns = slice(head * size, (head + 1) * size)
            for place in range(len(states)):
                seen = slice(0, place + 1)
                scores = key[seen, columns] @ query[place, columns] / math.sqrt(size)
                share = np.exp(scores - scores.max())
                attended[place, columns] = share @ value[seen, columns] / share.sum()
        mixed = norm(own + "attention_norm", states + linear(own + "output", attended))
        if layer.low_pass:
            low = by_fft(states, frequencies)
            filtered = low + weights[own + "high_share"] ** 2 * (states - low)
            filtered = norm(own + "filter_norm", states + filtered)
            mixed = layer.low_pass * filtered + (1 - layer.low_pass) * mixed
        wide = gelu(linear(own + "widen", mixed))
        states = norm(own + "feed_forward_norm", mixed + linear(own + "narrow", wide))
    return states


@pytest.mark.parametrize("frequencies", [1, 3, 5])
def test_the_matrices_are_the_fft_filter_of_each_length(frequencies):
    matrices = low_pass_matrices(LONGEST, frequencies).double()
    assert matrices.shape == (LONGEST + 1, LONGEST, LONGEST)
    rng = np.random.default_rng(0)
    for length in range(1, LONGEST + 1):
        matrix, sequence = matrices[length, :length, :length].numpy(), rng.normal(size=(length, 3))
        np.testing.assert_allclose(matrix @ sequence, by_fft(sequence, frequencies), atol=1e-6)
        np.testing.assert_allclose(matrix @ matrix, matrix, atol=1e-6)  # a projection,
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-6)  # and an orthogonal one
        rank = min(length, 2 * frequencies - 1)
        assert np.linalg.matrix_rank(matrix, tol=1e-4) == rank
        if length // 2 + 1 <= frequencies:
            np.testing.assert_allclose(matrix, np.eye(length), atol=1e-6)
        assert not matrices[length, length:].any()
        assert not matrices[length, :, length:].any()
    assert not matrices[0].any()


@pytest.mark.parametrize("low_pass", [0.0, 0.7])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_newest_state_is_the_formula(low_pass, layers):
    made = encoder(low_pass, layers)
    vectors, lengths = batch()
    found = made(vectors, lengths).detach().numpy()
    for row, length in enumerate(LENGTHS):
        np.testing.assert_allclose(found[row], by_formula(made, vectors[row, :length])[-1], atol=1e-5)


def test_every_state_is_the_formula_and_the_last_one_the_newest():
    made = encoder()
    vectors, lengths = batch()
    every = made(vectors, lengths, every_position=True).detach()
    for row, length in enumerate(LENGTHS):
        np.testing.assert_allclose(every[row, :length], by_formula(made, vectors[row, :length]), atol=1e-5)
    last = every[torch.arange(len(LENGTHS)), lengths - 1]
    np.testing.assert_allclose(last, made(vectors, lengths).detach(), atol=1e-5)


@pytest.mark.parametrize("low_pass", [0.0, 0.7])
def test_neither_padding_nor_batch_mates_matter(low_pass):
    made = encoder(low_pass)
    vectors, lengths = batch()
    together = made(vectors, lengths).detach()
    noisy = vectors.clone()
    noisy[torch.arange(vectors.shape[1]) >= lengths[:, None]] = 1e3
    np.testing.assert_allclose(made(noisy, lengths).detach(), together, atol=1e-5)
    for row, length in enumerate(LENGTHS):
        for end in (length, LONGEST):
            alone = made(vectors[row : row + 1, :end], lengths[row : row + 1]).detach()
            np.testing.assert_allclose(alone[0], together[row], atol=1e-5)


def test_a_state_does_not_see_newer_items():
    made = encoder()
    vectors, lengths = batch([7, 7])
    changed = vectors.clone()
    changed[:, 4:] = changed[:, 4:].flip(2)
    before, after = (made(v, lengths, every_position=True).detach() for v in (vectors, changed))
    np.testing.assert_allclose(after[:, :4], before[:, :4], atol=1e-6)
    assert (after[:, 4:] - before[:, 4:]).abs().amax(dim=2).min() > 1e-2


def test_padded_states_are_finite_and_carry_no_gradient_into_the_history():
    made = encoder()
    vectors, lengths = batch([2, 5])
    vectors.requires_grad_()
    every = made(vectors, lengths, every_position=True)
    assert torch.isfinite(every).all()
    made(vectors, lengths).sum().backward()
    assert not vectors.grad[0, 2:].any()
    assert torch.isfinite(vectors.grad).all()


@pytest.mark.parametrize("low_pass", [0.0, 0.7])
def test_the_order_of_a_history_matters(low_pass):
    made = encoder(low_pass)
    items, table = (
        torch.tensor([[0, 1, 2, 3]]),
        torch.randn(4, WIDTH, generator=torch.Generator().manual_seed(2)),
    )
    one, other = (made(embedding(codes, table), torch.tensor([4])) for codes in (items, items.flip(1)))
    assert (one - other).abs().max() > 1e-2


@pytest.mark.parametrize("low_pass", [0.0, 0.7])
def test_dropout_is_for_training_only(low_pass):
    made = encoder(low_pass)
    vectors, lengths = batch()
    assert torch.equal(made(vectors, lengths), made(vectors, lengths))
    made.train()
    assert not torch.allclose(made(vectors, lengths), made(vectors, lengths))
    made.drop = 0.0
    for layer in made.layers:
        layer.drop = 0.0
    np.testing.assert_allclose(
        made(vectors, lengths).detach(), made.eval()(vectors, lengths).detach(), atol=1e-6
    )


@pytest.mark.parametrize("low_pass", [0.0, 0.7])
def test_every_parameter_learns(low_pass):
    made = encoder(low_pass, drop=0.0)
    vectors, lengths = batch()
    made(vectors, lengths).square().mul(torch.arange(WIDTH)).sum().backward()
    unmoved = [name for name, p in made.named_parameters() if p.grad is None or not p.grad.any()]
    assert unmoved == []


def test_the_filter_is_refused_where_a_place_must_not_look_ahead():
    vectors, lengths = batch()
    with pytest.raises(ValueError, match="looks ahead"):
        encoder(0.5)(vectors, lengths, every_position=True)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"width": 9}, "divisible by heads ≥ 1, got 9 and 2"),
        ({"drop": 1.0}, r"drop must be in \[0, 1\), got 1.0"),
        ({"drop": -0.1}, "drop must be in"),
        ({"low_pass": 1.0}, "low_pass must be in"),
        ({"layers": 0}, "at least 1"),
        ({"max_items": 0}, "at least 1"),
        ({"frequencies": 0}, "at least 1"),
        ({"heads": 0}, "heads ≥ 1, got 8 and 0"),
    ],
)
def test_an_argument_out_of_range_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        ItemSequenceEncoder(**{"width": 8} | wrong)
