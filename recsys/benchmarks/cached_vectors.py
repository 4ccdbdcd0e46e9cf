"""Vectors that are computed once on a machine, though many runs ask for them.

A teacher's, of all that its students learn from; the baseline's, of judged titles: minutes each, and the same
for every student and seed.

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
    """`encode`, which reads from disk what it computed before: for this model, code, libraries and texts.

    Args:
        encode: texts -> [n, D].
        model: whose vectors they are, see `recsys.speed.model_source.model_source`.
        made_by: the functions that `encode` calls, as "module:function"; vectors that were made by other code
            of theirs, or of what they reach, are not taken.
        settings: what they depend on besides.
        cache: folder; None for "vectors" in the kit's own.
    """
    identity = " ".join([model_source(model).digest, settings, code_hash(*made_by), *map(version, LIBRARIES)])
    memory = Memory(Path(cache) if cache else cache_folder() / "vectors", verbose=0)
    compute = memory.cache(_vectors, ignore=["encode"])
    return lambda texts: compute(encode, list(texts), identity)


def _vectors(encode: Encode, texts: list[str], identity: str) -> np.ndarray:
    return encode(texts)
