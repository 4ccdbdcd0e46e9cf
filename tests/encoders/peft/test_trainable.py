import pytest

from recsys.encoders.backbone import load_backbone
from recsys.encoders.peft.trainable import set_trainable


@pytest.mark.parametrize("name", ["random-bert", "random-gpt"])
def test_counts_and_names(name):
    backbone = load_backbone(name)
    everything = set_trainable(backbone, "all")
    assert everything["trainable"] == everything["total"] == sum(p.numel() for p in backbone.parameters())
    assert set_trainable(backbone, "none")["trainable"] == 0
    last = set_trainable(backbone, "last-1")
    learning = {name.split(".layer.")[-1] for name, p in backbone.named_parameters() if p.requires_grad}
    if name == "random-gpt":
        assert all(".h.1." in name or "ln_f" in name for name in learning)
        assert any("ln_f" in name for name in learning)
    else:
        assert all(name.startswith("1.") for name in learning)
    both = set_trainable(backbone, "last-2")
    assert 0 < last["trainable"] < both["trainable"] < both["total"] == last["total"]


@pytest.mark.parametrize("which", ["last-0", "last-3", "last", "last--1", "first-1", "", None])
def test_wrong_names_are_errors_and_change_nothing(which):
    backbone = load_backbone("random-bert")
    with pytest.raises(ValueError, match="'all', 'none', or 'last-1' to 'last-2'"):
        set_trainable(backbone, which)
    assert all(p.requires_grad for p in backbone.parameters())
