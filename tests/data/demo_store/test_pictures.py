"""Colour, pattern and shape are in the pictures and nowhere else."""

import re

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB

from recsys.data.demo_store import load, pictures
from recsys.data.demo_store import vocabulary as words
from tests.data.demo_store.year import year

CHANCE = {"colour": 1 / 8, "pattern": 1 / 5, "shape": 1 / 8}
HALF = 1000  # products to fit on; the other thousand are for the test


@pytest.fixture(scope="module")
def store():
    return year()[0]


@pytest.fixture(scope="module")
def appearance():
    return year()[1].appearance


@pytest.fixture(scope="module")
def images(store):
    return pictures(store, 0)


def accuracy(features, labels, model=None) -> float:
    model = model or LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1)
    return model.fit(features[:HALF], labels[:HALF]).score(features[HALF:], labels[HALF:])


def test_form_of_the_pictures(store, images):
    assert images.shape == (2000, 64, 64, 3)
    assert images.dtype == np.uint8
    assert len({image.tobytes() for image in images}) == 2000
    assert 20 < images.std() < 120


def test_appearance_is_even_and_independent(store, appearance):
    for name, chance in CHANCE.items():
        shares = appearance[name].value_counts(normalize=True)
        np.testing.assert_allclose(shares, chance, atol=0.001)
    assert set(appearance["colour"]) == set(words.COLOURS)


def test_no_text_names_what_the_picture_shows(store):
    items, events = store.items, store.events
    texts = [
        *items[["title", "description", "category", "brand", "material", "style", "use"]].to_numpy().ravel(),
        *events["query"].dropna().unique(),
        *events["review"].dropna(),
        *store.judgements["query"].unique(),
        *store.users[["age_band", "household", "region"]].to_numpy().ravel(),
    ]
    found = {word for text in set(texts) for word in re.findall(r"[a-z]+", text.lower())}
    assert len(found) > 200
    assert not found & words.APPEARANCE_WORDS
    named = {*words.COLOURS, *words.PATTERNS, *words.SHAPES}
    assert named <= words.APPEARANCE_WORDS


def test_pictures_tell_colour_pattern_and_shape(images, appearance):
    levels = images.astype(np.float32) / 255
    coarse = levels.reshape(-1, 16, 4, 16, 4, 3).mean(axis=(2, 4))
    saturation = coarse.max(axis=3) - coarse.min(axis=3)
    mean = (coarse * saturation[..., None]).sum(axis=(1, 2)) / saturation.sum(axis=(1, 2))[:, None]
    assert accuracy(mean - mean.mean(axis=1, keepdims=True), appearance["colour"]) > 0.95
    assert accuracy(saturation.reshape(len(images), -1), appearance["shape"]) > 0.9
    centre = levels.mean(axis=3)[:, 16:48, 16:48]
    waves = np.abs(np.fft.rfft2(centre - centre.mean(axis=(1, 2), keepdims=True)))
    assert accuracy(np.log(waves + 0.1).reshape(len(images), -1), appearance["pattern"]) > 0.5


@pytest.mark.parametrize("name", list(CHANCE))
def test_texts_do_not(store, appearance, name):
    texts = store.items["title"] + " " + store.items["description"] + " " + store.items["category"]
    found = accuracy(TfidfVectorizer().fit_transform(texts), appearance[name], MultinomialNB())
    error = np.sqrt(CHANCE[name] * (1 - CHANCE[name]) / HALF)
    assert abs(found - CHANCE[name]) < 4 * error


def test_another_seed_or_another_data_set_is_refused(store):
    with pytest.raises(ValueError, match="is not the demo store of seed 1"):
        pictures(store, 1)
    part = type(store)("demo_store", store.items.head(50), store.users, store.events)
    with pytest.raises(ValueError, match="with 50 items is not the demo store"):
        pictures(part, 0)


def test_small_store_has_pictures_too():
    images = pictures(load(7, "small"), 7)
    assert images.shape == (200, 64, 64, 3)
