"""Candidate scores that runs keep in their folder for later fusion: written, listed, loaded with checks.

One file per part, `scores_<part>.npz` (arrays, nothing pickled), not committed: each user's best item ids,
and their scores as float16 distances from the row's best in units of the row's standard deviation, so that
scores near the top, where order matters, are stored most precisely and none overflows.

B: users. K: kept candidates of each.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recsys.ensembling.candidate_lists import PARTS, CandidateLists, Identity, Kept
from recsys.metrics.lists import NO_ITEM
from recsys.runs.grid.fingerprint import sha256_of_file

FORMAT = 1
ARRAYS = ("rows", "ids", "distance", "best", "mean", "spread")


class ScoresError(ValueError):
    """Kept scores are missing, damaged, or of another split or catalogue."""


@dataclass(frozen=True)
class Found:
    """A file of kept scores: its path, part, model name, identity (data set and split), users and length."""

    path: Path
    part: str
    name: str
    identity: Identity
    users: int
    top: int


def write_scores(folder: Path, kept: Kept) -> dict[str, str]:
    """Write each part's lists into a run folder.

    Args:
        folder: an existing folder.
        kept: from `recsys.ensembling.kept_lists.keep`.

    Returns:
        File name -> SHA-256, for the record's field "scores" (not "files": `recsys publish` copies those).

    Raises:
        ScoresError: a score is NaN or +∞, or no part is given.
    """
    if not kept.lists:
        raise ScoresError("no lists to write: keep() gives validation and test")
    written = {}
    for part, lists in kept.lists.items():
        path = folder / f"scores_{part}.npz"
        meta = {"format": FORMAT, "part": part, "name": lists.name, "n_items": lists.n_items}
        text = json.dumps(meta | asdict(kept.identity))
        np.savez_compressed(path, meta=np.frombuffer(text.encode(), np.uint8), **_packed(lists))
        written[path.name] = sha256_of_file(path)
    return written


def load_scores(folder: Path, part: str, expected: Identity | None = None) -> CandidateLists:
    """One part's lists of a run.

    Args:
        folder: of the run.
        part: "validation" or "test".
        expected: identity that they must have (`recsys.ensembling.kept_lists.identity`); None: not checked.

    Returns:
        The lists, scores as float32: within 2⁻¹¹ of their distance from the row's best.

    Raises:
        ScoresError: no such file, unreadable, contains NaN, or of another split or catalogue.
    """
    if part not in PARTS:
        raise ScoresError(f"part must be one of {', '.join(PARTS)}, not {part!r}")
    path = folder / f"scores_{part}.npz"
    if not path.is_file():
        raise ScoresError(
            f"{folder.name} kept no scores of {part}: its notebook must call record(..., scores=keep(...)); "
            "published records come without, and `recsys run` of their experiment makes the scores again"
        )
    meta, arrays = _read(path)
    own = Identity(meta["dataset"], meta["catalogue"], meta["split"])
    if expected is not None:
        for field, what in (("dataset", "data set"), ("catalogue", "catalogue"), ("split", "split")):
            if getattr(own, field) != getattr(expected, field):
                raise ScoresError(
                    f"{folder.name}: scores of another {what} ({getattr(own, field)[:12]}, wanted "
                    f"{getattr(expected, field)[:12]}): fuse runs on the same data and split"
                )
    return _unpacked(meta, arrays, path)


def found_scores(runs: Path, experiment: str | None = None) -> Iterator[Found]:
    """Every file of kept scores below a folder of runs; raises `ScoresError` for an unreadable one."""
    for path in sorted(runs.glob(f"{experiment or '*'}/*/scores_*.npz")):
        if path.parent.name.startswith(".") or path.parent.name.endswith(".failed"):
            continue  # a run in flight, or one that failed after its scores were written
        with _opened(path) as file:
            meta, shapes = _meta(file, path)
        own = Identity(meta["dataset"], meta["catalogue"], meta["split"])
        yield Found(path, meta["part"], meta["name"], own, *shapes["ids"])


def _packed(lists: CandidateLists) -> dict[str, np.ndarray]:
    there = lists.ids != NO_ITEM
    if not np.isfinite(lists.scores[there]).all():
        raise ScoresError(f"{lists.name}: kept scores hold NaN or infinity; the model's scores are unusable")
    best = np.where(there.any(axis=1), lists.scores.max(axis=1, initial=-np.inf), 0).astype(np.float32)
    unit = np.where(lists.spread > 0, lists.spread, 1)[:, None]
    distance = np.where(there, (best[:, None] - np.where(there, lists.scores, 0)) / unit, np.inf)
    # a row's candidates lie within its own spread times √M: float16 ends at 65,504, far beyond
    narrow = distance.astype(np.float16)
    if not np.isfinite(narrow[there]).all():
        raise ScoresError(f"{lists.name}: scores span more than float16 can tell of one user")
    ids = lists.ids.astype(np.int32)
    return dict(
        zip(ARRAYS, (lists.rows.astype(np.int64), ids, narrow, best, lists.mean, lists.spread), strict=True)
    )


def _read(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    with _opened(path) as file:
        meta, _ = _meta(file, path)
        return meta, {name: file[name] for name in ARRAYS}


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            yield file
    except ScoresError:
        raise
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ScoresError(f"{path.parent.name}/{path.name} cannot be read ({error}): rerun it") from None


def _meta(file: Any, path: Path) -> tuple[dict, dict[str, tuple[int, ...]]]:
    """What a file says of its lists, and the shapes of its arrays, which are not unpacked for that."""
    meta, shape = json.loads(bytes(file["meta"])), {name: _shape(file, name) for name in ARRAYS}
    texts = ("part", "name", "dataset", "catalogue", "split")
    whole = isinstance(meta, dict) and all(isinstance(meta.get(key), str) for key in texts)
    whole = whole and type(meta.get("n_items")) is int
    alike = len(shape["ids"]) == 2 and shape["ids"] == shape["distance"]
    rows = {shape[name] for name in ("rows", "best", "mean", "spread")}
    if not (whole and alike and rows == {shape["ids"][:1]}):
        raise ScoresError(f"{path.parent.name}/{path.name} is damaged (meta or shapes): rerun it")
    if meta.get("format") != FORMAT:
        raise ScoresError(f"{path.parent.name}/{path.name}: format {meta.get('format')}, not {FORMAT}")
    return meta, shape


def _shape(file: Any, name: str) -> tuple[int, ...]:
    with file.zip.open(f"{name}.npy") as stream:
        first = np.lib.format.read_magic(stream) == (1, 0)
        read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
        return read(stream)[0]


def _unpacked(meta: dict, arrays: dict[str, np.ndarray], path: Path) -> CandidateLists:
    ids, spread = arrays["ids"], arrays["spread"]
    numbers = all(arrays[name].dtype.kind == "f" for name in ("distance", "best", "mean", "spread"))
    if not (numbers and ids.dtype.kind == arrays["rows"].dtype.kind == "i"):
        raise ScoresError(f"{path.parent.name}/{path.name} is damaged (types of its arrays): rerun it")
    there = ids != NO_ITEM
    unit = np.where(spread > 0, spread, 1)[:, None]
    distance = np.where(there, arrays["distance"], 0).astype(np.float32)
    scores = np.where(there, arrays["best"][:, None] - distance * unit, -np.inf).astype(np.float32)
    widths = np.isfinite(spread).all() and (spread >= 0).all()
    if not (np.isfinite(scores[there]).all() and np.isfinite(arrays["mean"]).all() and widths):
        raise ScoresError(f"{path.parent.name}/{path.name} holds NaN or infinite scores: rerun it")
    twice = np.diff(np.sort(np.where(there, ids, -np.arange(1, ids.shape[1] + 1)), axis=1), axis=1) == 0
    if twice.any() or (np.diff(arrays["rows"]) <= 0).any():
        raise ScoresError(f"{path.parent.name}/{path.name} holds a user or an item twice: rerun it")
    if ids.size and not (ids.min() >= NO_ITEM and ids.max() < meta["n_items"]):
        raise ScoresError(f"{path.parent.name}/{path.name} holds items outside its catalogue: rerun it")
    scores = _in_order(ids, scores)
    return CandidateLists(meta["name"], arrays["rows"], ids, scores, arrays["mean"], spread, meta["n_items"])


def _in_order(ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Scores that float16 made equal, lowered by the least that float32 knows where the list's order says
    that they were not: equal scores stand in the order of codes."""
    scores = scores.copy()
    for place in range(1, scores.shape[1]):
        before, here = scores[:, place - 1], scores[:, place]
        turned = (here >= before) & (ids[:, place] < ids[:, place - 1]) & (ids[:, place] != NO_ITEM)
        behind = (here > before) & (ids[:, place] != NO_ITEM)  # an equal one before it was lowered
        lowered = np.nextafter(before, -np.inf, dtype=scores.dtype)
        scores[:, place] = np.where(turned, lowered, np.where(behind, before, here))
    return scores
