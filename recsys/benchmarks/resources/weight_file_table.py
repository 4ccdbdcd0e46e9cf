"""Compares weight files of one model: size, time to read, quality of the model that is read (004 Q2)."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from torch import nn
from torch.nn.utils import prune

from recsys.benchmarks.resources.weight_files import load_weights, save_weights
from recsys.benchmarks.timing import interleave
from recsys.encoders.backbone import Backbone
from recsys.encoders.embed import embed_texts
from recsys.speed.choice import Texts
from recsys.speed.quality import closeness

DENSE = ("float32", "float16", "int8")
SPARSE = "sparse"
CAN_FORGET = hasattr(os, "posix_fadvise")


def without_smallest(backbone: Backbone, share: float) -> Backbone:
    """A copy with the smallest weights of every matrix set to 0: magnitude pruning without retraining.

    Han et al. 2015 (arXiv:1506.02626). The word embeddings are pruned too.

    Args:
        share: share of each matrix's weights that is set to 0, in [0, 1).

    Raises:
        ValueError: a share out of range.
    """
    if not 0 <= share < 1:
        raise ValueError(f"share must be from 0 to below 1, got {share}")
    found = copy.deepcopy(backbone)
    for module in found.modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, nn.Parameter) and weight.ndim == 2:
            prune.l1_unstructured(module, "weight", share)
            prune.remove(module, "weight")
    return found


def weight_file_table(
    backbone: Backbone,
    texts: Texts,
    *,
    sparse: Sequence[int] = (50, 80, 90),
    rounds: int = 5,
    threads: int = 1,
) -> pd.DataFrame:
    """Write, read and use the weights in each format.

    Args:
        texts: catalogue and queries, at least ten titles.
        sparse: percentages of zero weights in each matrix; one row "sparse-…" for each.
        rounds: of reading, interleaved over the formats.

    Returns:
        One row per file, float32 first, index `form`: bytes; disk_ms, to read it from disk into the model's
        float32 weights, and cached_ms, from the system's page cache (medians; where the cache cannot be
        dropped, disk_ms is from the cache too); cosine, and overlap of the ten nearest titles, between the
        model that was read and the original; bytes_ratio, load_ratio (disk_ms), cached_load_ratio: relative
        to float32, medians over rounds.

    Raises:
        ValueError: as `without_smallest`, as `save_weights`.
    """
    shares = dict.fromkeys(DENSE, 0.0) | {f"{SPARSE}-{share}": share / 100 for share in sparse}
    with TemporaryDirectory(prefix="weights-") as folder:
        files = {name: Path(folder) / f"{name}.safetensors" for name in shares}
        forms = {name: name if name in DENSE else SPARSE for name in shares}
        sizes = {}
        for name, share in shares.items():
            kept = without_smallest(backbone, share) if share else backbone
            sizes[name] = save_weights(kept.model.state_dict(), files[name], forms[name])
        reader = copy.deepcopy(backbone)
        reads = {name: partial(_read, reader, files[name], forms[name]) for name in files}
        timings = {
            "disk": interleave(reads, rounds=rounds, threads=threads, before=lambda: _forget(files.values())),
            "cached": interleave(reads, rounds=rounds, threads=threads),
        }
        near = _nearness(backbone, reader, reads, texts)
    found = pd.DataFrame({"bytes": sizes}).rename_axis("form")
    by_place = {place: timing.table(DENSE[0]) for place, timing in timings.items()}
    for place, table in by_place.items():
        found[f"{place}_ms"] = 1e3 * table["seconds"]
    found = found.join(near)
    found["bytes_ratio"] = found["bytes"] / found["bytes"].iloc[0]
    found["load_ratio"] = 1 / by_place["disk"]["speedup"]
    found["cached_load_ratio"] = 1 / by_place["cached"]["speedup"]
    return found


def _read(reader: Backbone, file: Path, form: str) -> None:
    reader.model.load_state_dict(load_weights(file, form))


def _forget(files: Sequence[Path]) -> None:
    """Drop these files from the system's page cache, so that they are next read from disk."""
    if not CAN_FORGET:
        return
    for file in files:
        with file.open("rb") as stream:
            os.fsync(stream.fileno())  # pages that are not on disk yet cannot be dropped
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _nearness(
    backbone: Backbone, reader: Backbone, reads: dict[str, Callable[[], None]], texts: Texts
) -> pd.DataFrame:
    def vectors(model: Backbone) -> list:
        return [embed_texts(model, part, precision="fp32") for part in (texts.titles, texts.queries)]

    right, rows = vectors(backbone), {}
    for name, read in reads.items():
        read()
        near = closeness(*vectors(reader), *right)
        rows[name] = {"cosine": near.cosine, "overlap": near.mean_overlap}
    return pd.DataFrame.from_dict(rows, orient="index")
