"""Disk cache for vectors that many runs need: computed once per machine.

For instance a teacher's vectors of all training texts, or the baseline's of judged titles: they take minutes
and are the same for every student and seed.

n: texts. D: width.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from joblib import Memory

from recsys.code.reach import code_hash
from recsys.data.files.locations import cache_folder
from recsys.speed.model_source import model_source
from recsys.speed.quality import Encode

if TYPE_CHECKING:
    from recsys.encoders.backbone import Backbone

LIBRARIES = ("torch", "transformers", "sentence-transformers", "tokenizers")


def cached_vectors(
    encode: Encode,
    model: str | Path | Backbone,
    made_by: Sequence[str],
    settings: str = "",
    cache: str | Path | None = None,
) -> Encode:
    """`encode` with a disk cache, whose key is the model, the code, the libraries and the texts.

    Args:
        encode: texts -> [n, D].
        model: that computes them, see `recsys.speed.model_source.model_source`.
        made_by: the functions that `encode` calls, as "module:function"; a change of their code, or of code
            that they reach, invalidates the cache.
        settings: whatever else the vectors depend on, as text.
        cache: folder; None: "vectors" in the kit's cache folder.
    """
    identity = " ".join([model_source(model).digest, settings, code_hash(*made_by), *map(version, LIBRARIES)])
    memory = Memory(Path(cache) if cache else cache_folder() / "vectors", verbose=0)
    compute = memory.cache(_vectors, ignore=["encode"])
    return lambda texts: compute(encode, list(texts), identity)


def _vectors(encode: Encode, texts: list[str], identity: str) -> np.ndarray:
    return encode(texts)
