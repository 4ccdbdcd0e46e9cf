"""Title vectors of a stack, tuned or optimised: made once a machine, since many stacks share them.

Of a ladder's stacks most read the same titles by the same encoder, and tuning it takes minutes. What was made
is read again from the kit's cache folder, with its processor time: a stack's cost counts that in full.

M: items. D: width.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import Memory

from recsys.benchmarks.ladder.title_tuning import tune_on_successors
from recsys.code.reach import code_hash
from recsys.data.files.locations import cache_folder
from recsys.encoders.backbone import Backbone, load_backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.model_folders import first_line
from recsys.ensembling.errors import EnsembleError
from recsys.models.next_item.data import TITLE_TOKENS, NextItemData
from recsys.models.next_item.model_settings import ModelSettings
from recsys.speed.artefact import megabytes
from recsys.speed.fast_encoder import fast_encoder
from recsys.speed.model_source import model_source

TIMED_TITLES = 40
LIBRARIES = ("torch", "transformers", "tokenizers", "onnxruntime", "numpy")


@dataclass(frozen=True)
class Titles:
    """vectors: [M, D] of unit length, None where titles are not read. encoder_bytes: of the encoder.
    title_ms: median milliseconds that one new title takes. seconds: processor time of tuning, building and
    encoding."""

    vectors: np.ndarray | None = None
    encoder_bytes: int = 0
    title_ms: float = float("nan")
    seconds: float = 0.0


@dataclass(frozen=True)
class Tuning:
    """What the step "fine_tuned" learns from: training events, the number of pairs, a seed."""

    events: pd.DataFrame
    n_users: int
    pairs: int
    seed: int


def titles_of(
    steps: Sequence[str], data: NextItemData, settings: ModelSettings, pairs: int, variant: str
) -> Titles:
    """Titles by the pretrained encoder; with the steps "fine_tuned" and "optimised_graph" as these say.

    Raises:
        ValueError: the data set has no titles. EnsembleError: the variant does not run on this processor.
    """
    data.required_titles()
    backbone = load_backbone(settings.backbone)
    tuning = Tuning(data.train, data.split.n_users, pairs, settings.seed) if "fine_tuned" in steps else None
    asked = variant if "optimised_graph" in steps else ""
    made = Memory(cache_folder() / "ladder", verbose=0).cache(_made, ignore=["backbone", "texts", "tuning"])
    return made(backbone, data.described, tuning, asked, _identity(backbone, data.described, tuning))


def _identity(backbone: Backbone, texts: Sequence[str], tuning: Tuning | None) -> str:
    """Digest of whatever the vectors depend on, the variant apart: models, texts, events, code, machine."""
    parts = [model_source(backbone).digest, torch.backends.cpu.get_cpu_capability()]
    parts += [code_hash("recsys.benchmarks.ladder.title_vectors:_made"), *map(version, LIBRARIES)]
    found = hashlib.sha256(json.dumps([*parts, list(texts)]).encode())
    if tuning is not None:
        found.update(json.dumps([tuning.n_users, tuning.pairs, tuning.seed]).encode())
        events = tuning.events[
            [column for column in ("user", "item", "time", "order") if column in tuning.events]
        ]
        found.update(pd.util.hash_pandas_object(events, index=False).to_numpy().tobytes())
    return found.hexdigest()


def _made(
    backbone: Backbone, texts: Sequence[str], tuning: Tuning | None, variant: str, identity: str
) -> Titles:
    start = time.process_time()
    if tuning is not None:
        tune_on_successors(backbone, texts, tuning.events, tuning.n_users, tuning.pairs, tuning.seed)
    if not variant:
        vectors = embed_texts(backbone, texts, max_tokens=TITLE_TOKENS)
        seconds = time.process_time() - start
        size = sum(p.numel() * p.element_size() for p in backbone.parameters())

        def one_title(text: str) -> np.ndarray:
            return embed_texts(backbone, [text], max_tokens=TITLE_TOKENS)

        return Titles(vectors, size, _milliseconds(one_title, texts), seconds)
    with tempfile.TemporaryDirectory() as folder:  # its cost is part of the step's: nothing is kept
        try:
            encoder = fast_encoder(backbone, variant=variant, texts=texts, cache=folder, progress=False)
        except RuntimeError as error:  # torch's, of a product that the processor has no instruction for
            raise EnsembleError(
                f"the variant {variant} does not run on this processor ({first_line(error)}): "
                "choose another, for instance onnx-int8"
            ) from None
        vectors = encoder.encode(texts)
        seconds = time.process_time() - start
        size = round(megabytes(Path(folder)) * 1e6)
        return Titles(vectors, size, _milliseconds(encoder.encode, texts), seconds)


def _milliseconds(encode: Callable[[str], object], texts: Sequence[str]) -> float:
    encode(texts[0])  # what is made once is not a title's
    spent = []
    for text in texts[:TIMED_TITLES]:
        start = time.perf_counter()
        encode(text)
        spent.append(1e3 * (time.perf_counter() - start))
    return float(np.median(spent))
