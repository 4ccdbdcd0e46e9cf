"""Each modality on small tables: width, mask, what it may learn from."""

import numpy as np
import pandas as pd
import pytest
import torch

from recsys.multimodal.features import FeatureError
from recsys.multimodal.modalities import numbers, picture_scratch, profile, reviews, symbols, words
from recsys.multimodal.modalities.registry import MODALITIES
from tests.multimodal.broken_files import bytes_of, halves


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", MODALITIES)
def test_every_entry_loads(name):
    assert callable(MODALITIES.load(name))


def test_words_of_the_test_part_alone_are_unknown():
    table = pd.DataFrame({"text": ["red shirt", "blue shirt", "purple unicorn", None, "红 鞋"]})
    made = words.encode(table, np.array([0, 1, 4]))
    assert made.width == 5  # red, shirt, blue, and two Chinese characters
    assert made.present.tolist() == [True, True, False, False, True]
    with pytest.raises(FeatureError, match="modality words"):
        words.encode(table, np.array([3]))


def test_a_tree_holds_every_node_above_an_item():
    table = pd.DataFrame(
        {"category": ["Shoes > Boots > Winter", "Shoes > Boots", "Hats", None, "Toys > Cars"]}
    )
    made = symbols.encode_tree(table, np.array([0, 1, 2]))
    assert made.width == 4  # Shoes, Boots, Winter, Hats; no known item is a toy
    assert made.present.tolist() == [True, True, True, False, False]
    near = made.dense() @ made.dense().T
    assert near[0, 1] > 0.5
    assert near[0, 2] == 0
    genres = symbols.encode_tree(pd.DataFrame({"genres": ["Drama|War", "War", ""]}), np.arange(3))
    assert genres.present.tolist() == [True, True, False]
    with pytest.raises(FeatureError, match="needs a column category or genres"):
        symbols.encode_tree(pd.DataFrame({"title": ["x"]}), np.array([0]))


def test_a_graph_keeps_the_facts_that_two_known_items_share():
    facts = ["director m.1\nactor m.2", "director m.1\nactor m.3", "actor m.3\nactor m.2", None]
    made = symbols.encode_graph(pd.DataFrame({"graph": facts}), np.array([0, 1]))
    assert made.width == 1  # the director; each actor is of one known film
    assert made.present.tolist() == [True, True, False, False]
    with pytest.raises(FeatureError, match="modality graph"):
        symbols.encode_graph(pd.DataFrame({"graph": facts}), np.array([2]))


def test_numbers_are_scaled_by_the_known_rows():
    table = pd.DataFrame({f"trailer_{k}": [0.0, 2.0, 100.0, np.nan] for k in range(1, 8)})
    table.loc[2, "trailer_1"] = np.nan
    made = numbers.encode_trailer(table, np.array([0, 1]))
    assert made.vectors[:2, 0].tolist() == [-1, 1]
    assert made.vectors[2, 0] == 0  # missing: the known mean
    assert made.vectors[2, 1] == 99
    assert made.present.tolist() == [True, True, True, False]


def test_a_profile_is_indicators_and_deciles_without_ids():
    users = pd.DataFrame({"user": [0, 1, 2], "source_id": ["a", "b", "c"], "age": [20.0, 40.0, np.nan]})
    users["gender"] = ["F", "M", None]
    made = profile.encode(users, np.array([0, 1]))
    assert made.present.tolist() == [True, True, False]
    assert made.vectors[0].tolist() != made.vectors[1].tolist()
    assert (made.vectors[2] == 0).all()
    relabelled = profile.encode(users.assign(user=[7, 8, 9], source_id=list("xyz")), np.array([0, 1]))
    assert (relabelled.vectors == made.vectors).all()


def test_reviews_after_the_moment_change_nothing():
    table = pd.DataFrame({"item": [0, 1, 2]})
    early = pd.DataFrame({"item": [0, 0, 1], "rating": [5.0, 3.0, 1.0]})
    early["time"] = pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03"])
    late = pd.DataFrame({"item": [0, 2], "rating": [1.0, 1.0]})
    late["time"] = pd.to_datetime(["2021-01-01", "2021-01-02"])
    moment = pd.Timestamp("2020-06-01")
    first = reviews.encode(table, np.arange(3), early, moment)
    both = reviews.encode(table, np.arange(3), pd.concat([early, late]), moment)
    assert (first.vectors == both.vectors).all()
    assert first.present.tolist() == [True, True, False]
    with pytest.raises(FeatureError, match="no time"):
        reviews.encode(table, np.arange(3), early.drop(columns="time"), moment)


def test_varied_pictures_keep_their_shape_and_their_colours():
    pixels = torch.zeros(6, 3, 16, 16)
    pixels[:, 0, :8], pixels[:, 2, 8:] = 200, 200  # red above, blue below
    seen = picture_scratch.varied(pixels, np.random.default_rng(0))
    assert seen.shape == pixels.shape
    assert (seen[:, 0, 0] > 150).all()
    assert (seen[:, 2, -1] > 150).all()
    assert (seen[:, 1] == 0).all()
    assert not torch.equal(seen[0], seen[1])
    whole = torch.arange(16.0).expand(400, 3, 16, 16)
    turned = picture_scratch.varied(whole, np.random.default_rng(1))[:, 0, 8]
    assert 0.4 < (turned[:, -1] > turned[:, 0]).float().mean() < 0.6


def test_a_network_from_nothing_tells_red_from_blue(tmp_path):
    rows = []
    for number in range(40):
        turned = halves(16, 16).rotate(180 * (number % 2))
        path = tmp_path / f"{number}.png"
        path.write_bytes(bytes_of(turned, "PNG"))
        rows.append((str(path), ("up", "down")[number % 2]))
    table = pd.DataFrame(rows, columns=["picture", "way"])
    table.loc[39, "picture"] = None
    known = np.arange(20)
    made = picture_scratch.encode(table, known, label="way", side=16, epochs=5, batch=8, workers=0)
    assert made.present.sum() == 39
    centre = [made.vectors[known[way::2]].mean(axis=0) for way in (0, 1)]
    test = np.arange(20, 39)
    distance = [np.linalg.norm(made.vectors[test] - c, axis=1) for c in centre]
    assert ((distance[1] < distance[0]) == (test % 2 == 1)).mean() > 0.9
    with pytest.raises(FeatureError, match="no column"):
        picture_scratch.encode(table, known, label="colour")
