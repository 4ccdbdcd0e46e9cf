"""What a trained method leaves behind."""

import pytest

from recsys.encoders.backbone import load_backbone
from recsys.encoders.peft.methods import apply_method
from recsys.models.tuning.adapter_storage import TASKS, storage_costs

TEXTS = ["apple boat", "chair", "dog engine flower"]


@pytest.mark.parametrize("method", ["full", "lora", "houlsby", "prefix"])
def test_kept_and_counted(method):
    backbone = load_backbone("random-bert")
    apply_method(backbone, method)
    for parameter in backbone.parameters():
        if parameter.requires_grad:
            parameter.data += 0.01
    found = storage_costs(backbone, TEXTS, name="random-bert")
    assert found["reload_difference"] == 0
    assert ("merge_difference" in found) == (method in ("full", "lora"))
    assert found.get("merge_difference", 0) < 1e-5
    whole = 4 * sum(p.numel() for p in load_backbone("random-bert").model.parameters())
    if method == "full":
        assert found["ten_tasks_bytes"] == pytest.approx(TASKS * whole, rel=0.05)
    else:
        assert found["ten_tasks_bytes"] == pytest.approx(whole + TASKS * found["bytes_on_disk"], rel=0.02)
        assert found["bytes_on_disk"] < whole / 2
