"""Merged adapters on a small random encoder: the exact sum of changes, and what cannot be merged."""

import pytest
import torch

from recsys.encoders.backbone import load_backbone
from recsys.encoders.peft.adapter_files import save_adapter
from recsys.encoders.peft.applied import adapter_tensors
from recsys.encoders.peft.methods import apply_method
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.one_model.adapter_merging import WAYS, merge_adapters


def saved(folder, method="lora", seed=0, **options):
    backbone = load_backbone("random-bert", seed=0)
    apply_method(backbone, method, seed=seed, **options)
    generator = torch.Generator().manual_seed(seed)
    for tensor in adapter_tensors(backbone).values():
        tensor.data += 0.05 * torch.randn(tensor.shape, generator=generator)
    save_adapter(backbone, folder)
    return folder


def weights_of(backbone):
    return {name: tensor.detach().clone() for name, tensor in backbone.model.named_parameters()}


def merged_alone(folder):
    from recsys.encoders.peft.adapter_files import load_adapter, merge

    backbone = load_backbone("random-bert", seed=0)
    load_adapter(backbone, folder)
    merge(backbone)
    return weights_of(backbone)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_a_plain_backbone_that_changed(tmp_path, way):
    folders = [saved(tmp_path / str(seed), seed=seed) for seed in (1, 2)]
    bare = weights_of(load_backbone("random-bert", seed=0))
    found = weights_of(merge_adapters(load_backbone("random-bert", seed=0), folders, way=way))
    assert found.keys() == bare.keys()
    changed = [name for name in bare if not torch.equal(found[name], bare[name])]
    assert changed
    assert all("query" in name or "key" in name or "value" in name or "dense" in name for name in changed)


def test_side_by_side_adds_the_changes_exactly(tmp_path):
    folders = [saved(tmp_path / str(seed), seed=seed) for seed in (1, 2, 3)]
    bare = weights_of(load_backbone("random-bert", seed=0))
    alone = [merged_alone(folder) for folder in folders]
    shares = [0.5, 0.3, 0.9]
    found = weights_of(merge_adapters(load_backbone("random-bert", seed=0), folders, shares, "cat"))
    for name, start in bare.items():
        expected = start + sum(w * (one[name] - start) for w, one in zip(shares, alone, strict=True))
        torch.testing.assert_close(found[name], expected, rtol=1e-5, atol=1e-6)


def test_the_merged_backbone_still_reads_texts(tmp_path):
    folders = [saved(tmp_path / str(seed), seed=seed) for seed in (1, 2)]
    backbone = merge_adapters(load_backbone("random-bert", seed=0), folders)
    ids = torch.tensor([[101, 2054, 102]])
    assert torch.isfinite(backbone(ids, torch.ones_like(ids))).all()
    apply_method(backbone, "lora")  # plain again: a new method may be applied


def test_what_cannot_be_merged_is_said(tmp_path):
    one, two = saved(tmp_path / "a"), saved(tmp_path / "b", seed=3)
    with pytest.raises(EnsembleError, match="two adapters or more"):
        merge_adapters(load_backbone("random-bert", seed=0), [one])
    with pytest.raises(EnsembleError, match="a way of"):
        merge_adapters(load_backbone("random-bert", seed=0), [one, two], way="mean")
    with pytest.raises(EnsembleError, match="as many weights"):
        merge_adapters(load_backbone("random-bert", seed=0), [one, two], weights=[1])
    others = [saved(tmp_path / f"ia3 {seed}", "ia3", seed) for seed in (0, 1)]
    with pytest.raises(EnsembleError, match="cannot be merged"):
        merge_adapters(load_backbone("random-bert", seed=0), others)
    with pytest.raises(ValueError, match="does not fit"):
        merge_adapters(load_backbone("random-bert", seed=0), [one, saved(tmp_path / "r4", r=4)])
