"""Identifies the model to be made faster without loading it; no torch is imported for a folder.

The settings of a sentence-transformers folder (pooling, longest text, normalisation) are followed, so that
vectors equal those of `SentenceTransformer(folder).encode`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recsys.encoders.model_folders import BackboneError, model_folder
from recsys.encoders.packaged.registry import PACKAGED
from recsys.encoders.packaged.text import PACKAGED_TEXT

if TYPE_CHECKING:
    from recsys.encoders.backbone import Backbone

# the files that vectors depend on; weights may be in shards
FILES = ("*.safetensors", "config.json", "tokenizer*.json", "special_tokens_map.json", "vocab.txt")
FILES += (
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
)
POOLING_KEYS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
POOLING_KEYS |= {"pooling_mode_lasttoken": "last"}
POOLING_NAMES = {"mean": "mean", "cls": "cls", "last": "last", "lasttoken": "last"}
BLOCK = 1 << 20  # bytes hashed at once
# packaged text models that no engine supports, and why
NOT_FOR_ENGINES = {
    "use-multilingual": "it is no Transformer but a table and convolutions, which no engine knows",
}


@dataclass(frozen=True)
class ModelSource:
    """A model that variants are built from, identified without loading it.

    Attributes:
        name: as given by the user. folder: of safetensors; None for a backbone that is in memory only.
        digest: sha256 over weights, configuration and tokenizer, hexadecimal.
        max_tokens: longest text; None: the model's own limit. pooling: None: the backbone's default.
        unit_length: whether vectors have length 1.
        loaded: the backbone, if it is already in memory.
    """

    name: str
    folder: Path | None
    digest: str
    max_tokens: int | None = None
    pooling: str | None = None
    unit_length: bool = True
    loaded: Backbone | None = None

    def backbone(self) -> Backbone:
        """The model itself, float32, on the CPU, in eval mode."""
        if self.loaded is not None:
            return self.loaded
        from recsys.encoders.backbone import load_backbone

        return load_backbone(str(self.folder or self.name), pooling=self.pooling)


def model_source(model: str | Path | Backbone) -> ModelSource:
    """Identify a model.

    Args:
        model: "minilm", a local folder, a hub name, "random-bert", "random-gpt", or a loaded backbone. LoRA
            or another adapter that can be merged is merged into a copy.

    Raises:
        BackboneError: no such model, or a sentence-transformers folder with further modules than a
            transformer, a pooling and a normalisation, or with a default prompt, which no variant supports.
    """
    if not isinstance(model, (str, Path)):
        from recsys.encoders.backbone_digest import backbone_digest

        model = _merged(model)
        return ModelSource(model.name, None, backbone_digest(model), loaded=model)
    name = str(model)
    if name in ("random-bert", "random-gpt"):
        from recsys.encoders.backbone import load_backbone
        from recsys.encoders.backbone_digest import backbone_digest

        backbone = load_backbone(name)
        return ModelSource(name, None, backbone_digest(backbone), loaded=backbone)
    if name in PACKAGED_TEXT:
        return _packaged(name)
    folder = model_folder(name)
    modules = [entry["type"].rpartition(".")[2] for entry in _read(folder / "modules.json", [])]
    strange = set(modules) - {"Transformer", "Pooling", "Normalize"}
    if strange:
        raise BackboneError(f"{name!r} has modules that no variant computes: {', '.join(sorted(strange))}")
    asked = _read(folder / "config_sentence_transformers.json", {})
    if prompt := (asked.get("prompts") or {}).get(asked.get("default_prompt_name")):
        raise BackboneError(f"{name!r} puts {prompt!r} before every text, which no variant does")
    return ModelSource(
        name,
        folder,
        _digest_of_folder(folder),
        max_tokens=_read(folder / "sentence_bert_config.json", {}).get("max_seq_length"),
        pooling=_pooling(name, _read(folder / "1_Pooling" / "config.json", {})),
        # a folder without such settings follows this kit's defaults
        unit_length="Normalize" in modules or not modules,
    )


def _merged(backbone: Backbone) -> Backbone:
    """The backbone itself if it has no peft modules, else a copy with the adapter merged."""
    applied = getattr(backbone, "peft", None)
    if applied is None or not (applied.method.config and applied.method.merges):
        return backbone
    import copy

    from recsys.encoders.peft.adapter_files import merge

    copied = copy.deepcopy(backbone, {id(backbone.tokenizer): backbone.tokenizer}).eval()
    merge(copied)
    return copied


def _packaged(name: str) -> ModelSource:
    """A packaged model, identified by the pinned sha256 of its files without loading it."""
    model = PACKAGED.load(name)
    if name in NOT_FOR_ENGINES:
        raise BackboneError(f"fast_encoder does not take {name!r}: {NOT_FOR_ENGINES[name]}; use embed_texts")
    for index in range(len(model.files)):
        model.path(index)
    digest = hashlib.sha256("\n".join(file.sha256 for file in model.files).encode()).hexdigest()
    return ModelSource(name, None, digest)


def _pooling(name: str, config: dict) -> str | None:
    asked = config.get("pooling_mode")
    kinds = [kind for key, kind in POOLING_KEYS.items() if config.get(key)]
    kinds += [POOLING_NAMES.get(asked, asked)] if isinstance(asked, str) else []
    others = [key for key, value in config.items() if key.startswith("pooling_mode_") and value is True]
    if len(kinds) > 1 or set(others) - set(POOLING_KEYS) or set(kinds) - set(POOLING_NAMES.values()):
        raise BackboneError(f"{name!r} pools in a way that no variant computes: {config}")
    return kinds[0] if kinds else None


def _read(path: Path, default: dict | list) -> dict | list:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else default


def _digest_of_folder(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted({path for pattern in FILES for path in folder.glob(pattern)}):
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        total.update(f"{path.relative_to(folder)}\0{found}\n".encode())
    return total.hexdigest()
