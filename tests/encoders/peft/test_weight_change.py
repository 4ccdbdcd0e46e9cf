"""Singular values of what tuning changed."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys.encoders.backbone import load_backbone
from recsys.encoders.peft.adapter_files import merge
from recsys.encoders.peft.methods import apply_method
from recsys.encoders.peft.weight_change import change_by_matrix, effective_rank, weight_change


def moved(method: str, **options):
    """A backbone whose learning parameters have all been moved by noise."""
    backbone = load_backbone("random-bert")
    apply_method(backbone, method, **options)
    stream = torch.Generator().manual_seed(0)
    for parameter in backbone.parameters():
        if parameter.requires_grad:
            parameter.data += 0.02 * torch.randn(parameter.shape, generator=stream)
    return backbone


@pytest.mark.parametrize("method", ["lora", "pissa", "dora", "miss"])
def test_the_change_is_that_of_the_merged_model(method):
    start, tuned = load_backbone("random-bert"), moved(method)
    found = weight_change(tuned, start)
    assert tuned.peft.name == method  # as it was
    merge(tuned)
    query = tuned.model.encoder.layer[1].attention.self.query.weight
    change = query - start.model.encoder.layer[1].attention.self.query.weight
    values = found[(found["layer"] == 1) & (found["matrix"] == "query")]
    assert np.allclose(values["value"], torch.linalg.svdvals(change.detach()), atol=1e-5)
    assert set(found["matrix"]) == {"query", "value"}


def test_a_change_of_rank_r_has_r_values_and_full_tuning_has_all():
    start = load_backbone("random-bert")
    for method, options, rank in [("lora", {"r": 3}, 3), ("full", {}, start.width)]:
        found = weight_change(moved(method, **options), start)
        query = found[(found["layer"] == 0) & (found["matrix"] == "query")]["value"]
        assert (query > 1e-5).sum() == rank


def test_the_summary_of_a_matrix():
    start = load_backbone("random-bert")
    found = change_by_matrix(weight_change(moved("lora", r=3), start)).set_index(["layer", "matrix"])
    assert len(found) == 4
    assert ((found["effective_rank"] > 1) & (found["effective_rank"] < 3.01)).all()
    assert np.allclose(found["first_8"], 1)
    assert (found["moved"] > 0).all()


def test_maps_of_one_last_name_stay_apart():
    """BERT's layer has three maps named "dense", two of which end in "output.dense"."""
    start, tuned = load_backbone("random-bert"), moved("full")
    found = change_by_matrix(weight_change(tuned, start))
    inside = found[found["layer"] == 0].set_index("matrix")
    assert set(inside.index) == {"query", "key", "value", "attention.output", "intermediate", "output"}
    assert (inside["effective_rank"] <= start.width).all()
    for matrix, place in {"attention.output": "attention.output", "output": "output"}.items():
        old, new = (b.model.encoder.layer[0].get_submodule(f"{place}.dense").weight for b in (start, tuned))
        values = torch.linalg.svdvals((new - old).detach())
        assert inside.loc[matrix, "moved"] == pytest.approx(
            float(((new - old).norm() / old.norm()).detach()), rel=1e-4
        )
        assert inside.loc[matrix, "first_8"] == pytest.approx(
            float((values[:8] ** 2).sum() / (values**2).sum())
        )


def test_what_did_not_change_is_not_listed():
    start = load_backbone("random-bert")
    assert weight_change(load_backbone("random-bert"), start).empty
    assert set(weight_change(moved("last-1"), start)["layer"]) == {1}


def test_methods_without_a_change_of_weights_are_refused():
    with pytest.raises(ValueError, match="prefix changes no weights"):
        weight_change(moved("prefix"), load_backbone("random-bert"))
    with pytest.raises(ValueError, match="no linear map of the same name"):
        weight_change(load_backbone("random-gpt"), load_backbone("random-bert"))


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20), st.floats(0.1, 10))
def test_effective_rank_lies_between_one_and_all_and_knows_no_scale(values, scale):
    found = effective_rank(np.array(values))
    assert 1 - 1e-9 <= found <= len(values) + 1e-9
    assert effective_rank(scale * np.array(values)) == pytest.approx(found)
    assert effective_rank(np.append(values, 0.0)) == pytest.approx(found)


def test_equal_values_have_their_number_as_rank():
    assert effective_rank(np.ones(7)) == pytest.approx(7)
    with pytest.raises(ValueError, match="above zero"):
        effective_rank(np.zeros(3))
