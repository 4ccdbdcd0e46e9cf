"""Vectors of files: taken from the feature store where encoded before, else decoded in workers and encoded.

n: files. D: width of the encoder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsys.code.reach import code_hash
from recsys.multimodal import feature_store
from recsys.multimodal.decoding.workers import decode_files
from recsys.multimodal.feature_store import FeatureStore, content_digest, store_key
from recsys.multimodal.features import Features

BATCH = 64  # decoded files per call of the encoder
KEPT_AT = 512  # vectors between two writes; a killed process loses at most these

Encode = Callable[[list[np.ndarray]], np.ndarray]


@dataclass(frozen=True)
class FileEncoder:
    """A decoder and a network that turn a file into a vector.

    name: of the network. width: D. parameters: of the network.
    decoder: "package.module:function", run in the workers, with `options`.
    load: loads the network, called only if something has to be encoded; the returned function maps decoded
        arrays to vectors [B, D].
    weights: sha256 or another name that changes with the weights. code: places whose code the vectors
        depend on besides the decoder ("package.module:function").
    """

    name: str
    width: int
    parameters: int
    decoder: str
    options: Mapping[str, Any]
    load: Callable[[], Encode]
    weights: str
    code: tuple[str, ...]

    @property
    def key(self) -> str:
        """Name of the feature store: changes with code, weights and settings."""
        code = code_hash(self.decoder, *self.code)
        return store_key(code, self.weights, self.name, self.width, dict(self.options))


def file_vectors(
    modality: str,
    paths: Sequence[str | None],
    encoder: FileEncoder,
    workers: int | None = None,
    folder: Path | None = None,
) -> Features:
    """One vector for each file.

    Args:
        modality: name of the result.
        paths: n paths, None where there is no file.
        encoder: see `FileEncoder`.
        workers: see `decode_files`.
        folder: of the feature stores; None: in the kit's cache folder.

    Returns:
        n rows; not present where there is no file or where it is listed in `faults`. `costs` count what was
        decoded and encoded in this call; both are 0 with a warm store.
    """
    started = time.perf_counter()
    digests, unreadable = _digests(paths)
    store = FeatureStore(encoder.key, encoder.width, folder)
    distinct = list(dict.fromkeys(digest for digest in digests if digest))
    feature_store.counts["asked"] += len(distinct)
    place = dict(zip(reversed(digests), reversed(list(paths)), strict=True))  # a path for each digest
    missing = [digest for digest, row in zip(distinct, store.rows(distinct), strict=True) if row == -1]
    feature_store.counts["made"] += len(missing)
    encoded = _make(missing, [str(place[digest]) for digest in missing], encoder, store, workers)
    rows = store.rows(digests)
    present = rows >= 0
    vectors = np.zeros((len(paths), encoder.width), dtype=np.float32)
    vectors[present] = store.take(rows[present])
    faults = [
        (row, str(paths[row]), unreadable.get(row) or store.reason(digests[row]))
        for row in np.flatnonzero(~present)
        if paths[row] is not None
    ]
    costs = {
        "files": float(len(distinct)),
        "decoded": float(len(missing)),
        "encoded": float(encoded),
        "seconds": time.perf_counter() - started,
        "megabytes": vectors.nbytes / 1e6,
        "parameters": float(encoder.parameters),
    }
    return Features(
        modality, vectors, present, pd.DataFrame(faults, columns=["row", "file", "reason"]), costs
    )


def _digests(paths: Sequence[str | None]) -> tuple[list[str], dict[int, str]]:
    """Digest of each file's content ("" where there is no file), and row → why a file could not be read."""
    digests, unreadable = [], {}
    for row, path in enumerate(paths):
        digest = ""
        if path is not None:
            try:
                digest = content_digest(Path(path).read_bytes())
            except OSError as error:
                unreadable[row] = f"cannot be read: {error.strerror or error}"
        digests.append(digest)
    return digests, unreadable


def _make(
    digests: list[str], paths: list[str], encoder: FileEncoder, store: FeatureStore, workers: int | None
) -> int:
    """Decode, encode and store what the store lacks; returns the number of vectors computed."""
    if not digests:
        return 0
    encode = encoder.load()
    kept: list[str] = []
    waiting: list[tuple[str, np.ndarray]] = []
    vectors: list[np.ndarray] = []
    faults: dict[str, str] = {}
    made = 0

    def encode_waiting() -> None:
        if waiting:
            kept.extend(digest for digest, _ in waiting)
            vectors.append(encode([array for _, array in waiting]))
            waiting.clear()

    def keep() -> None:
        nonlocal made
        found = np.concatenate(vectors) if vectors else np.empty((0, encoder.width), np.float32)
        store.add(kept, found, faults)
        made += len(kept)
        kept.clear(), vectors.clear(), faults.clear()

    for place, array in decode_files(paths, encoder.decoder, encoder.options, workers):
        if isinstance(array, str):
            faults[digests[place]] = array
        else:
            waiting.append((digests[place], array))
        if len(waiting) == BATCH:
            encode_waiting()
        if len(kept) >= KEPT_AT:
            keep()
    encode_waiting()
    keep()
    return made
