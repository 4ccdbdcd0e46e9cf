"""Each format against what it approximates, on random vectors with a few strong directions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.benchmarks.timing import interleave
from recsys.search.vector_formats import VectorFormat, VectorFormats, fit_formats, format_table, searches
from recsys.search.vector_storage import Floats, Int8, Signs
from recsys.speed.encoder import unit
from recsys.speed.quality import nearest

WIDTH = 320


@pytest.fixture(scope="module")
def vectors():
    generator = np.random.default_rng(0)
    strength = (np.arange(WIDTH) + 1.0) ** -0.2
    mixed = generator.standard_normal((1020, WIDTH)) * strength @ generator.standard_normal((WIDTH, WIDTH))
    rows = unit(mixed.astype(np.float32))
    return rows[:1000], rows[1000:]


@pytest.fixture(scope="module")
def table(vectors):
    return format_table(fit_formats(vectors[0]), *vectors)


def test_exact_search_is_exact(vectors, table):
    catalogue, queries = vectors
    index = VectorFormats["float32"].fit(catalogue)
    assert (index.search(queries, 7) == nearest(queries, catalogue, 7)).all()
    assert tuple(table.loc["float32", ["bytes_per_vector", "overlap"]]) == (4 * WIDTH, 1)


def test_more_bytes_find_more(table):
    overlap = table["overlap"]
    for kind in ("leading", "pca"):
        assert overlap["float32"] > overlap[f"{kind}-256"] > overlap[f"{kind}-128"] > overlap[f"{kind}-64"]
    assert overlap["pca-128"] > overlap["leading-128"]
    assert overlap[["bfloat16", "int8-vector", "int8-dimension"]].min() > 0.9
    assert overlap["binary"] > 10 * 10 / 1000  # ten times what chance would find


def test_rescoring_pays(table):
    overlap = table["overlap"]
    for name, form in VectorFormats.items():
        if form.rescored:
            assert overlap[name] > overlap[name.partition("+")[0]]
            assert table.loc[name, "bytes_kept"] == table.loc[name, "bytes_per_vector"] + 4 * WIDTH
        else:
            assert table.loc[name, "bytes_kept"] == table.loc[name, "bytes_per_vector"]


def test_all_rescored_is_exact(vectors):
    catalogue, queries = vectors
    form = VectorFormat("test", "every vector is a candidate", Signs, rescored=len(catalogue))
    assert (form.fit(catalogue).search(queries, 5) == nearest(queries, catalogue, 5)).all()


@pytest.mark.parametrize("name", VectorFormats)
def test_codes_take_the_bytes_that_are_told(name, vectors):
    index = VectorFormats[name].fit(vectors[0])
    codes = torch.as_tensor(index.encode(vectors[0]))
    of_scales = 4 if getattr(index.storage, "by_vector", False) else 0
    assert codes.nbytes / len(codes) + of_scales == index.bytes_per_vector
    assert torch.equal(codes, torch.as_tensor(index.storage.codes))


@given(
    st.integers(1, 200), st.integers(1, 6), st.integers(1, 40), st.integers(0, 2**32 - 1), st.integers(1, 9)
)
@settings(max_examples=60, deadline=None)
def test_hamming_distance_and_rows(width, m, n, seed, k):
    generator = np.random.default_rng(seed)
    catalogue = generator.standard_normal((n, width)).astype(np.float32)
    queries = generator.standard_normal((m, width)).astype(np.float32)
    expected = ((catalogue[None] > 0) != (queries[:, None] > 0)).sum(axis=2)
    assert (-Signs(catalogue).scores(queries).numpy() == expected).all()
    found = VectorFormat("test", "", Signs).fit(catalogue).search(queries, min(k, n))
    assert found.shape == (m, min(k, n))
    assert all(len(set(row)) == len(row) for row in found.tolist())
    assert (np.take_along_axis(expected, found, 1) == np.sort(expected, axis=1)[:, : min(k, n)]).all()


@pytest.mark.parametrize("scale", ["dimension", "vector"])
def test_int8_is_within_half_a_step(scale, vectors):
    catalogue = vectors[0] * np.linspace(0.1, 5, WIDTH, dtype=np.float32)
    catalogue[3] = 0  # a row without any entry must not divide by 0
    storage = Int8(catalogue, scale)
    steps = storage.columns if scale == "dimension" else storage.steps.numpy()[:, None]
    back = storage.codes.numpy() * steps
    assert (np.abs(back - catalogue) <= 0.5001 * steps).all()
    assert np.abs(storage.codes.numpy()).max() == 127
    exact, found = vectors[1] @ catalogue.T, storage.scores(vectors[1]).numpy()
    agree = [np.corrcoef(a, b)[0, 1] for a, b in zip(exact, found, strict=True)]
    assert min(agree) > 0.999


def test_principal_directions_keep_what_lies_in_them(vectors):
    """A catalogue of rank 8 is kept whole by its 8 principal directions, wherever they point."""
    generator = np.random.default_rng(1)
    basis = generator.standard_normal((8, WIDTH))
    rows = unit((generator.standard_normal((300, 8)) @ basis).astype(np.float32))
    index = VectorFormat("test", "", Floats, "pca", 8).fit(rows)
    codes = index.encode(rows).numpy()
    assert codes.shape == (300, 8)
    assert np.abs(codes @ codes.T - rows @ rows.T).max() < 1e-5
    assert (index.search(rows[:20], 1)[:, 0] == np.arange(20)).all()


def test_twins_are_no_loss(vectors):
    """Titles that differ in case only have one vector: which of them is found does not matter."""
    catalogue = np.concatenate([vectors[0]] * 3)
    table = format_table(fit_formats(catalogue, ["float32"]), catalogue, vectors[1], k=1)
    assert table.loc["float32", "overlap"] == 1


def test_searches_are_timed_by_the_caller(vectors):
    indexes = fit_formats(vectors[0], ["float32", "binary+4"])
    timing = interleave(searches(indexes, vectors[1][:1]), rounds=2)
    assert list(timing.wall) == ["float32", "binary+4"]


def test_what_is_wrong_is_said(vectors):
    catalogue, queries = vectors
    with pytest.raises(ValueError, match="keeps 128 dimensions, the vectors have 64"):
        VectorFormats["leading-128"].fit(catalogue[:, :64])
    broken = catalogue.copy()
    broken[5, 5] = np.nan
    with pytest.raises(ValueError, match="finite"):
        VectorFormats["float32"].fit(broken)
    index = VectorFormats["float32"].fit(catalogue)
    with pytest.raises(ValueError, match="k must be from 1 to 1000"):
        index.search(queries, 1001)
    with pytest.raises(ValueError, match="320 wide, got 64"):
        index.search(queries[:, :64])
    assert index.search(queries[:0], 3).shape == (0, 3)
    with pytest.raises(KeyError):
        fit_formats(catalogue, ["no such format"])
