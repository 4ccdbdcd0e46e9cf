import pytest

from recsys.benchmarks.length_grid import length_grid
from recsys.speed.encoder import Encoder


class Words:
    max_tokens, filler = 16, 3


def test_every_size_is_asked_and_told():
    asked = []

    def engine(ids, lengths):
        asked.append((len(ids), tuple(lengths)))

    found = length_grid({"one": Encoder(engine, Words(), 4)}, (2, 5), (1, 3), rounds=2)
    # a round of warm-up each
    assert asked == [s for s in ((2, (2,)), (6, (2, 2, 2)), (5, (5,)), (15, (5, 5, 5))) for _ in range(3)]
    assert found[["tokens", "batch"]].values.tolist() == [[2, 1], [2, 3], [5, 1], [5, 3]]
    rate = found["tokens_per_second"] * found["seconds"]
    assert rate.tolist() == pytest.approx([2, 6, 5, 15])


def test_a_text_longer_than_the_model_takes_is_refused():
    with pytest.raises(ValueError, match="lengths must be from 1 to 16 tokens"):
        length_grid({"one": Encoder(lambda ids, lengths: None, Words(), 4)}, (17,))
