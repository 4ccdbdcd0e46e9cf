"""Item vectors from ids, from texts, from both; and what of them is trained."""

import numpy as np
import pytest
import torch

from recsys.encoders.item_sequence import ItemSequenceEncoder
from recsys.encoders.item_vectors import ItemVectors, centred
from recsys.encoders.sequence_network import SequenceNetwork

ITEMS, WIDTH, TEXT_WIDTH = 11, 4, 6
TEXT = torch.randn(ITEMS, TEXT_WIDTH, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("text", "ids"), [(None, True), (TEXT, True), (TEXT, False)])
def test_the_sum_of_its_parts(text, ids):
    made = ItemVectors(ITEMS, WIDTH, text, ids)
    wanted = torch.zeros(ITEMS, WIDTH)
    if ids:
        wanted = wanted + made.ids.weight
    if text is not None:
        wanted = wanted + text @ made.map.weight.t() + made.map.bias
    assert made().shape == (ITEMS, WIDTH)
    torch.testing.assert_close(made(), wanted)


def test_without_ids_nothing_trained_belongs_to_an_item():
    made = ItemVectors(ITEMS, WIDTH, TEXT, ids=False)
    assert [tuple(p.shape) for p in made.parameters()] == [(WIDTH, TEXT_WIDTH), (WIDTH,)]
    assert all(ITEMS not in p.shape for p in made.parameters())
    # an item with the text of another has its vector
    twins = TEXT.clone()
    twins[3] = twins[7]
    vectors = ItemVectors(ITEMS, WIDTH, twins, ids=False)()
    assert torch.equal(vectors[3], vectors[7])


def test_the_text_is_neither_trained_nor_written_to_checkpoints():
    made = ItemVectors(ITEMS, WIDTH, TEXT)
    made().sum().backward()
    assert not made.text.requires_grad
    assert made.text.grad is None
    assert set(made.state_dict()) == {"ids.weight", "map.weight", "map.bias"}
    torch.optim.SGD(made.parameters(), lr=1.0).step()
    assert torch.equal(made.text, TEXT)


def test_dropout_takes_entries_of_the_text_in_training_only():
    made = ItemVectors(ITEMS, WIDTH, TEXT, drop=0.5)
    assert not torch.equal(made(), made())
    made.eval()
    assert torch.equal(made(), made())
    plain = ItemVectors(ITEMS, WIDTH, TEXT)
    assert torch.equal(plain(), plain())


def test_what_cannot_make_vectors_is_refused():
    with pytest.raises(ValueError, match="an id embedding, a text vector or both"):
        ItemVectors(ITEMS, WIDTH, None, ids=False)
    with pytest.raises(ValueError, match=r"each of 12 items, got \(11, 6\)"):
        ItemVectors(ITEMS + 1, WIDTH, TEXT)
    with pytest.raises(ValueError, match=r"got \(11,\)"):
        ItemVectors(ITEMS, WIDTH, TEXT[:, 0])


def test_centred_has_mean_0_and_rows_of_length_1():
    text = TEXT * torch.arange(1, TEXT_WIDTH + 1) / 40 + 5
    done = centred(text)
    np.testing.assert_allclose(done.mean(dim=0), np.zeros(TEXT_WIDTH), atol=1e-5)
    assert done.square().sum(dim=1).mean().item() == pytest.approx(1, abs=1e-5)
    # moved and scaled as a whole: differences keep their directions
    ratio = (done[1:] - done[0]) / (text[1:] - text[0])
    np.testing.assert_allclose(ratio, np.full(ratio.shape, ratio[0, 0].item()), rtol=1e-3)


def test_texts_that_are_all_the_same_cannot_be_centred():
    with pytest.raises(ValueError, match="the same vector"):
        centred(torch.ones(5, 3))


def test_the_network_reads_item_vectors_by_code():
    torch.manual_seed(0)
    network = SequenceNetwork(
        ItemVectors(ITEMS, WIDTH, TEXT), ItemSequenceEncoder(WIDTH, 1, 2, 0.1, 5)
    ).eval()
    items, lengths = torch.tensor([[3, 10, 0], [7, 7, 2]]), torch.tensor([2, 3])
    states, vectors = network(items, lengths)
    assert torch.equal(vectors, network.item_vectors())
    torch.testing.assert_close(states, network.encoder(vectors[items], lengths))
    torch.testing.assert_close(network.read(items.numpy(), lengths.numpy(), vectors), states)
    assert network.items.ids.weight.std() < 0.05  # Normal(0, .02), not torch's Normal(0, 1)
