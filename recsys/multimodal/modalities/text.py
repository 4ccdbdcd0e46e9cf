"""Texts: each item's text through a frozen sentence encoder.

n: items.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from recsys.code.reach import code_hash
from recsys.data.files.locations import sha256_now
from recsys.encoders.model_folders import model_folder
from recsys.multimodal import feature_store
from recsys.multimodal.feature_store import FeatureStore, content_digest, store_key
from recsys.multimodal.features import Features

MAX_TOKENS = 64


def encode(
    table: pd.DataFrame, known: np.ndarray, backbone: str = "minilm", column: str = "text"
) -> Features:
    """The modality "text" of a table with texts in `column` (None or "" where there is none).

    Args:
        table: n rows. known: not used, the encoder is frozen.
        backbone: as `recsys.encoders.backbone.load_backbone` takes it.

    Raises:
        BackboneError: the backbone cannot be had.
    """
    return text_vectors("text", list(table[column]), backbone)


def text_vectors(modality: str, texts: list[str | None], backbone: str = "minilm") -> Features:
    """[n, width] vectors of texts, cached in the feature store under the text's hash."""
    started = time.perf_counter()
    width, parameters, weights = _facts(backbone)
    code = code_hash("recsys.multimodal.modalities.text:embed")
    store = FeatureStore(store_key("text", code, weights, backbone, MAX_TOKENS), width)
    present = np.array([bool(text and text.strip()) for text in texts])
    digests = [
        content_digest(text.encode()) if there else "" for text, there in zip(texts, present, strict=True)
    ]
    known = dict(zip(digests, texts, strict=True))
    distinct = [digest for digest in known if digest]
    missing = [digest for digest, row in zip(distinct, store.rows(distinct), strict=True) if row < 0]
    feature_store.counts["asked"] += len(distinct)
    feature_store.counts["made"] += len(missing)
    if missing:
        store.add(missing, embed([known[digest] for digest in missing], backbone), {})
    vectors = np.zeros((len(texts), width), dtype=np.float32)
    vectors[present] = store.take(store.rows([d for d in digests if d]))
    costs = {
        "files": float(len(distinct)),
        "decoded": 0.0,
        "encoded": float(len(missing)),
        "seconds": time.perf_counter() - started,
        "megabytes": vectors.nbytes / 1e6,
        "parameters": float(parameters),
    }
    return Features(modality, vectors, present, costs=costs)


def embed(texts: list[str], backbone: str) -> np.ndarray:
    """[n, width] float32, rows of length 1."""
    from recsys.encoders.backbone import load_backbone
    from recsys.encoders.embed import embed_texts

    return embed_texts(load_backbone(backbone), texts, max_tokens=MAX_TOKENS)


def _facts(backbone: str) -> tuple[int, int, str]:
    """Width, number of parameters and a name of the weights."""
    if backbone.startswith("random-"):
        from recsys.encoders.backbone import load_backbone

        loaded = load_backbone(backbone)
        return loaded.width, sum(p.numel() for p in loaded.parameters()), "random, seed 0"
    from transformers import AutoConfig

    folder = model_folder(backbone)
    files = sorted(folder.glob("*.safetensors"))
    width = AutoConfig.from_pretrained(folder).hidden_size
    parameters = sum(path.stat().st_size for path in files) // 4  # as float32
    return width, parameters, " ".join(sha256_now(path) for path in files)
