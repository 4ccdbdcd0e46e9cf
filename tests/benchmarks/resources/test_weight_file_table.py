"""Files of a small model: what is zero, what is exact, what is worse."""

import pytest
import torch
from torch import nn

from recsys.benchmarks.resources.weight_file_table import weight_file_table, without_smallest
from recsys.speed.choice import Texts
from recsys.speed.quality import real_titles
from tests.shop_texts import QUERIES


def test_the_smallest_are_zero_and_the_rest_stays(bert):
    before = {name: tensor.clone() for name, tensor in bert.state_dict().items()}
    found = without_smallest(bert, 0.75)
    assert all(torch.equal(before[name], tensor) for name, tensor in bert.state_dict().items())
    assert set(found.state_dict()) == set(before)
    modules = dict(found.named_modules())
    for name, tensor in found.state_dict().items():
        if tensor.ndim != 2:
            assert torch.equal(tensor, before[name])
            continue
        zero = tensor == 0
        assert zero.sum() == pytest.approx(0.75 * tensor.numel(), abs=1)
        assert torch.equal(tensor[~zero], before[name][~zero])
        assert before[name][zero].abs().max() <= before[name][~zero].abs().min()
        assert isinstance(modules[name.rpartition(".")[0]].weight, nn.Parameter)  # no mask is left
    with pytest.raises(ValueError, match="below 1"):
        without_smallest(bert, 1.0)


def test_table(bert):
    found = weight_file_table(bert, Texts(real_titles("demo_store", 60), QUERIES), sparse=(0, 90), rounds=2)
    assert found.index.tolist() == ["float32", "float16", "int8", "sparse-0", "sparse-90"]
    for exact in ("float32", "sparse-0"):
        assert found.loc[exact, "overlap"] == 1
        assert found.loc[exact, "cosine"] == pytest.approx(1)
    assert found["bytes_ratio"].round(2).tolist()[:4] == [1.0, 0.5, 0.27, 1.0]
    assert found.loc["sparse-90", "bytes_ratio"] < 0.14
    assert found.loc["sparse-90", "cosine"] < found.loc["int8", "cosine"] < 1
    assert (found[["disk_ms", "cached_ms", "load_ratio", "cached_load_ratio"]] > 0).all(axis=None)
    assert found.loc["float32", ["load_ratio", "cached_load_ratio"]].tolist() == pytest.approx([1, 1])
