"""Which model is to be made fast: what identifies it, without loading it. No torch is imported for a folder.

The conventions of a sentence-transformers folder (its pooling, its longest text, whether it normalises) are
followed where the folder states them, so that vectors equal `SentenceTransformer(folder).encode`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recsys.encoders.model_folders import BackboneError, model_folder

if TYPE_CHECKING:
    from recsys.encoders.backbone import Backbone

# what a vector depends on; weights may lie in shards
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


@dataclass(frozen=True)
class ModelSource:
    """A model that variants are built from, identified without loading it.

    name: as asked for. folder: of safetensors, None for a backbone that lives in memory only.
    digest: sha256 over weights, configuration and tokenizer, hexadecimal.
    max_tokens: the longest text, None for what the model can take. pooling: None for the backbone's default.
    unit_length: vectors have length 1.
    loaded: the backbone, where there is one already.
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
    """What identifies a model.

    Args:
        model: "minilm", a local folder, a hub name, "random-bert", "random-gpt", or a loaded backbone. One
            with LoRA or another change of weights applied is taken with the change merged into a copy.

    Raises:
        BackboneError: no such model, or a sentence-transformers folder with modules beyond a transformer, a
            pooling and a normalisation, or with a prompt before every text: no variant would compute these.
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
        # a folder that says nothing follows this kit's own convention
        unit_length="Normalize" in modules or not modules,
    )


def _merged(backbone: Backbone) -> Backbone:
    """A backbone without peft's modules around its own: itself, or a copy with the adapter merged."""
    applied = getattr(backbone, "peft", None)
    if applied is None or not (applied.method.config and applied.method.merges):
        return backbone
    import copy

    from recsys.encoders.peft.adapter_files import merge

    copied = copy.deepcopy(backbone, {id(backbone.tokenizer): backbone.tokenizer}).eval()
    merge(copied)
    return copied


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
