"""On-disk cache of encoded files and texts, memory-mapped: nothing is decoded or encoded twice.

It is no feature store in the sense of `recsys.streaming.stores`, which serves the states of users. A store is
one folder for one way of encoding, named by the hash of its code, weights and settings; inside it, rows are
found by the hash of the encoded content. So another data set with the same picture shares the row, an edited
encoder gets a new folder, and a changed file a new row. Files that failed are remembered too.

Crash-safe: vectors are written before the index lines that name them; an index line that is cut short, or
names a row that the file does not hold, is ignored. Where vectors were lost (a disk cleaned or full, a power
cut), their rows are declared void before others take their places. Writers take turns through a lock file.

n: contents. D: width.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock

from recsys.data.files.locations import cache_folder

# digests this process looked up, and how many it had to encode: with a warm cache, none
counts = {"asked": 0, "made": 0}


def store_key(*parts: object) -> str:
    """Name of a store from its code, weights and settings: 24 hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]


def content_digest(content: bytes) -> str:
    """Name of a content: its sha256, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


class FeatureStore:
    """The vectors of one way of encoding.

    Args:
        key: from `store_key`.
        width: D.
        folder: where stores lie; None: `features` in the kit's cache folder.

    Example:
        >>> store = FeatureStore(store_key("mean colour", 1), width=3)
        >>> store.add(["ab12"], np.ones((1, 3), np.float32), {})
        >>> store.rows(["ab12", "cd34"])
        array([ 0, -1])
    """

    UNKNOWN, FAULTY = -1, -2

    def __init__(self, key: str, width: int, folder: Path | None = None):
        self.width = width
        self.folder = (folder or cache_folder() / "features") / key
        self.folder.mkdir(parents=True, exist_ok=True)
        self._vectors, self._index = self.folder / "vectors.f32", self.folder / "index.jsonl"
        self._lock = FileLock(self.folder / "lock")
        self._known: dict[str, int] = {}
        self._reasons: dict[str, str] = {}
        self._read_to = 0
        self._named = 0  # rows that the index names, lost ones included
        self._refresh()

    def rows(self, digests: Sequence[str]) -> np.ndarray:
        """[n] row numbers; UNKNOWN (−1) where it was never encoded, FAULTY where decoding failed before."""
        self._refresh()
        return np.array([self._known.get(digest, self.UNKNOWN) for digest in digests], dtype=np.int64)

    def reason(self, digest: str) -> str:
        """Why a faulty content could not be decoded."""
        return self._reasons[digest]

    def take(self, rows: np.ndarray) -> np.ndarray:
        """[n, D] float32 of stored rows, read from the mapped file."""
        if not len(rows):
            return np.empty((0, self.width), dtype=np.float32)
        stored = self._vectors.stat().st_size // (4 * self.width)
        mapped = np.memmap(self._vectors, dtype=np.float32, mode="r", shape=(stored, self.width))
        return np.asarray(mapped[rows])

    def add(self, digests: Sequence[str], vectors: np.ndarray, faults: Mapping[str, str]) -> None:
        """Append vectors [n, D] under their digests, and the reasons of the files that could not be
        decoded."""
        vectors = np.ascontiguousarray(vectors, dtype=np.float32).reshape(len(digests), self.width)
        with self._lock:
            self._refresh()
            new = [place for place, digest in enumerate(digests) if digest not in self._known]
            row_bytes = 4 * self.width
            with self._vectors.open("ab") as file:
                whole = file.tell() // row_bytes
                file.truncate(whole * row_bytes)  # remove a partial row that a killed writer left
                file.seek(whole * row_bytes)
                file.write(vectors[new].tobytes())
            lines: list[dict] = [{"void_from": whole}] if self._named > whole else []
            lines += [{"digest": digests[place], "row": whole + k} for k, place in enumerate(new)]
            lines += [{"digest": d, "fault": r} for d, r in faults.items() if d not in self._known]
            with self._index.open("a", encoding="utf-8") as file:
                # end an index line that a killed writer left unfinished; readers then skip it
                file.write("\n" + "".join(json.dumps(line) + "\n" for line in lines))
            self._refresh()

    def _refresh(self) -> None:
        """Read the index lines that were added since the last call."""
        if not self._index.exists():
            return
        stored = self._vectors.stat().st_size // (4 * self.width) if self._vectors.exists() else 0
        if self._named > stored:
            self._forget_from(stored)
        with self._index.open("rb") as file:
            file.seek(self._read_to)
            fresh = file.read()
        end = fresh.rfind(b"\n") + 1
        self._read_to += end
        for line in fresh[:end].splitlines():
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue
            match entry:
                case {"void_from": int(row)}:
                    self._forget_from(row)
                    self._named = row
                case {"digest": str(digest), "fault": str(reason)}:
                    self._known.setdefault(digest, self.FAULTY)
                    self._reasons.setdefault(digest, reason)
                case {"digest": str(digest), "row": int(row)} if row >= 0:
                    self._named = max(self._named, row + 1)
                    if row < stored:
                        self._known[digest] = row

    def _forget_from(self, row: int) -> None:
        """Rows from this one on were lost: what they held has to be encoded again."""
        self._known = {digest: own for digest, own in self._known.items() if own < row}
