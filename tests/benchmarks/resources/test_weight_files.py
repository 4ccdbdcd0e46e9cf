"""What is written is what is read; the smaller form is taken; each takes the bytes that it should."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.torch import load_file
from torch import Tensor

from recsys.benchmarks.resources.weight_files import FORMATS, load_weights, save_weights

BITS, ROWS = {"bits", "values", "shape"}, {"values", "columns", "starts", "shape"}
HEADER = 600  # bytes of names and shapes, at most, in these files


def with_zeros(share: float, rows: int = 300, columns: int = 200) -> Tensor:
    stream = torch.Generator().manual_seed(3)
    weights = torch.randn(rows, columns, generator=stream)
    weights[torch.rand(rows, columns, generator=stream) < share] = 0
    return weights


def parts_of(file) -> set[str]:
    return {key.rpartition("|")[2] for key in load_file(file)}


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=9),
        elements=st.one_of(st.just(0.0), st.floats(-4, 4, width=32)),
    ),
    st.sampled_from(["float32", "sparse"]),
)
@settings(max_examples=60, deadline=None)
def test_nothing_is_lost(tmp_path_factory, weights, form):
    file = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights({"a.b": torch.from_numpy(weights)}, file, form)
    found = load_weights(file, form)["a.b"]
    assert found.dtype == torch.float32
    assert found.shape == weights.shape
    assert np.array_equal(found.numpy(), weights)


@pytest.mark.parametrize(("share", "parts"), [(0.0, {"whole"}), (0.5, BITS), (0.9, BITS), (0.97, ROWS)])
def test_the_smaller_form_is_taken(tmp_path, share, parts):
    weights = with_zeros(share)
    size = save_weights({"a": weights}, tmp_path / "w.safetensors", "sparse")
    assert parts_of(tmp_path / "w.safetensors") == parts
    kept, numbers = int((weights != 0).sum()), weights.numel()
    forms = {"whole": 4 * numbers, "bits": numbers / 8 + 4 * kept, "rows": 6 * kept + 4 * 301}
    assert size == pytest.approx(min(forms.values()), abs=HEADER)
    assert torch.equal(load_weights(tmp_path / "w.safetensors", "sparse")["a"], weights)


def test_many_columns_need_wider_numbers(tmp_path):
    weights = torch.zeros(3, 70_000)
    weights[1, 69_999], weights[2, 5] = 1.5, -2.0
    save_weights({"a": weights}, tmp_path / "w.safetensors", "sparse")
    assert parts_of(tmp_path / "w.safetensors") == ROWS
    assert torch.equal(load_weights(tmp_path / "w.safetensors", "sparse")["a"], weights)


@pytest.mark.parametrize(("form", "part"), [("float16", 1 / 2), ("int8", 1 / 4)])
def test_rounded_forms_by_their_step(tmp_path, form, part):
    weights = {"a": with_zeros(0.0), "b": torch.tensor([1.0, -3.0, 0.1]), "c": torch.zeros(2, 3)}
    size = save_weights(weights, tmp_path / "w.safetensors", form)
    assert size == pytest.approx(part * weights["a"].nbytes, abs=HEADER + 4 * 302)
    found = load_weights(tmp_path / "w.safetensors", form)
    assert set(found) == set(weights)
    assert torch.equal(found["c"], weights["c"])
    errors = (found["a"] - weights["a"]).abs()
    largest = weights["a"].abs().amax(dim=1, keepdim=True)
    step = {"float16": weights["a"].abs() * 2**-11 + 2**-25, "int8": largest / 254 * (1 + 1e-5)}[form]
    assert (errors <= step).all()
    assert errors.max() > 0
    assert (found["b"] - weights["b"]).abs().max() < {"float16": 1e-3, "int8": 1e-9}[form]


def test_beyond_float16_stays_float32(tmp_path):
    weights = torch.tensor([[1e5, 0.1]])
    save_weights({"a": weights}, tmp_path / "w.safetensors", "float16")
    assert torch.equal(load_weights(tmp_path / "w.safetensors", "float16")["a"], weights)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("wrong", [torch.arange(3), torch.tensor([1.0, float("nan")])])
def test_what_cannot_be_kept_is_named(tmp_path, form, wrong):
    with pytest.raises(ValueError, match=r"layer\.weight must be finite"):
        save_weights({"layer.weight": wrong}, tmp_path / "w.safetensors", form)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="no such form"):
        load_weights(tmp_path / "w.safetensors", "zip")
