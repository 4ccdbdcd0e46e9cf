"""Storage of a trained adapter: exactness of reloading and merging, bytes on disk, bytes of ten tasks."""

from __future__ import annotations

import copy
import tempfile

import numpy as np
import torch
from torch import Tensor

from recsys.encoders.backbone import Backbone, load_backbone
from recsys.encoders.peft.adapter_files import load_adapter, merge, save_adapter
from recsys.encoders.tokens import tokenise

TASKS = 10  # tasks of a shop, as adapters on one backbone or as whole models


def storage_costs(tuned: Backbone, texts: list[str], **load) -> dict[str, float]:
    """Save, reload and merge an adapter; measure differences of vectors, and bytes.

    Args:
        tuned: a backbone with a method applied and trained; it does not change.
        texts: whose vectors are compared.
        load: how the bare backbone was loaded, for `load_backbone`.

    Returns:
        reload_difference, merge_difference: largest absolute difference of the vectors [N, D] of `texts`
        before and after; the second is absent for a method that cannot be merged. bytes_on_disk: of the
        adapter. ten_tasks_bytes: the backbone once and ten adapters, or ten whole models for full tuning.
    """
    before = _vectors(tuned, texts)
    bare = load_backbone(**load)
    whole = sum(tensor.nbytes for tensor in bare.model.state_dict().values())
    with tempfile.TemporaryDirectory() as folder:
        bytes_on_disk = save_adapter(tuned, folder)
        load_adapter(bare, folder)
    found = {"reload_difference": float((_vectors(bare, texts) - before).abs().max())}
    if tuned.peft.method.merges:
        merged = copy.deepcopy(bare)
        merge(merged)
        found["merge_difference"] = float((_vectors(merged, texts) - before).abs().max())
    shared = 0 if tuned.peft.name == "full" else whole
    return found | {
        "bytes_on_disk": float(bytes_on_disk),
        "ten_tasks_bytes": float(shared + TASKS * bytes_on_disk),
    }


@torch.inference_mode()
def _vectors(backbone: Backbone, texts: list[str]) -> Tensor:
    training, tokens = backbone.training, tokenise(backbone, texts, max_tokens=32)
    vectors = backbone.eval()(*tokens.take(np.arange(len(texts)))).float()
    backbone.train(training)
    return vectors
