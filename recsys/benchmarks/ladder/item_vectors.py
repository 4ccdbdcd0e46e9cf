"""What a stack knows of items beside their ids: titles by an encoder, tuned or optimised, and modalities.

M: items. D: width of the vectors side by side.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from recsys.benchmarks.ladder.title_tuning import tune_on_successors
from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.ensembling.errors import EnsembleError
from recsys.models.next_item.data import TITLE_TOKENS, NextItemData
from recsys.models.next_item.model_settings import ModelSettings
from recsys.multimodal.item_tables import item_table
from recsys.multimodal.side_information import unit_rows
from recsys.multimodal.tasks.encoded import encoded
from recsys.speed.artefact import megabytes
from recsys.speed.fast_encoder import fast_encoder

# beside the title, where the data set's table has the column; words and tags repeat the title
MODALITIES = {"picture": "picture", "trailer": "trailer_1"}
TIMED_TITLES = 40


@dataclass(frozen=True)
class ItemSide:
    """vectors: [M, D] for the sequence model, None: ids alone. titles: [M, D'] unit-length ones of the titles
    alone, None without the step "pretrained". encoder_bytes: of the title encoder. title_ms: median
    milliseconds that one new title takes, NaN without one. encoded_files: pictures that were encoded now;
    those of an earlier run are read from the store of vectors and cost nothing."""

    vectors: np.ndarray | None = None
    titles: np.ndarray | None = None
    encoder_bytes: int = 0
    title_ms: float = float("nan")
    encoded_files: float = 0.0


def item_side(
    steps: Sequence[str], data: NextItemData, settings: ModelSettings, pairs: int, variant: str
) -> ItemSide:
    """Vectors of items for a stack of these steps.

    Raises:
        EnsembleError: "multimodal" on a data set that has nothing but titles. ValueError: titles are asked of
            a data set without.
    """
    titles, size, milliseconds = None, 0, float("nan")
    if "pretrained" in steps:
        titles, size, milliseconds = _titles(steps, data, settings, pairs, variant)
    parts, files = [] if titles is None else [titles], 0.0
    if "multimodal" in steps:
        others, files = _modalities(data)
        parts += others
    vectors = np.concatenate(parts, axis=1) if parts else None
    return ItemSide(vectors, titles, size, milliseconds, files)


def _titles(
    steps: Sequence[str], data: NextItemData, settings: ModelSettings, pairs: int, variant: str
) -> tuple[np.ndarray, int, float]:
    """Title vectors, bytes of their encoder, milliseconds of one title."""
    data.required_titles()
    texts = data.described
    backbone = load_backbone(settings.backbone)
    if "fine_tuned" in steps:
        tune_on_successors(backbone, texts, data.train, data.split.n_users, pairs, settings.seed)
    if "optimised_graph" not in steps:
        vectors = embed_texts(backbone, texts, max_tokens=TITLE_TOKENS)
        size = sum(p.numel() * p.element_size() for p in backbone.parameters())

        def one_title(text: str) -> np.ndarray:
            return embed_texts(backbone, [text], max_tokens=TITLE_TOKENS)

        return vectors, size, _milliseconds(one_title, texts)
    with tempfile.TemporaryDirectory() as folder:  # its cost is part of the step's: nothing is kept
        encoder = fast_encoder(backbone, variant=variant, texts=texts, cache=folder, progress=False)
        vectors, size = encoder.encode(texts), round(megabytes(Path(folder)) * 1e6)
        return vectors, size, _milliseconds(encoder.encode, texts)


def _milliseconds(encode: Callable[[str], object], texts: Sequence[str]) -> float:
    encode(texts[0])  # what is made once is not a title's
    spent = []
    for text in texts[:TIMED_TITLES]:
        start = time.perf_counter()
        encode(text)
        spent.append(1e3 * (time.perf_counter() - start))
    return float(np.median(spent))


def _modalities(data: NextItemData) -> tuple[list[np.ndarray], float]:
    """[M, D] of each modality that the items have (rows of length 1, zeros where it is missing), and how many
    files were encoded for them."""
    table = item_table(data.dataset, data.train)
    names = tuple(name for name, column in MODALITIES.items() if column in table)
    if not names:
        raise EnsembleError(
            f"{data.dataset.name} describes its items by titles alone: leave the step multimodal out"
        )
    features = encoded(table, names, np.unique(data.train["item"]))
    rows = [unit_rows(one) for one in features.values()]
    dense = [np.asarray(one.todense() if sparse.issparse(one) else one, np.float32) for one in rows]
    return dense, float(sum(one.costs.get("encoded", 0.0) for one in features.values()))
