"""Reads and writes the two files of a saved adapter; a kill while writing never mixes two adapters.

adapter.json holds the method, its options, digests of the backbone and of the tensors that are drawn again,
and the sha256 of adapter.safetensors, so that files of two different savings are refused.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

FORMAT = 2  # 1 compared the first 64 numbers of each tensor of the backbone
RECORD, WEIGHTS = "adapter.json", "adapter.safetensors"
FIELDS = {"format": int, "method": str, "options": dict, "base": str, "frozen": str, "weights": str}


def write_adapter(folder: Path, record: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Replace the folder's adapter; each file by rename, adapter.json last.

    Raises:
        ValueError: the folder cannot be written; one line says why.
    """
    parts = {name: folder / f".{name}.part" for name in (RECORD, WEIGHTS)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(dict(state), parts[WEIGHTS])
        whole = {"format": FORMAT, **record, "weights": _sha256(parts[WEIGHTS])}
        parts[RECORD].write_text(json.dumps(whole, indent=1), encoding="utf-8")
        for name in (WEIGHTS, RECORD):
            os.replace(parts[name], folder / name)
    except (OSError, SafetensorError) as error:
        for part in parts.values():
            with suppress(OSError):
                part.unlink()
        raise ValueError(f"the adapter cannot be written to {folder}: {_told(error)}") from None


def read_adapter(folder: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The contents of adapter.json and the tensors of a saved adapter.

    Raises:
        ValueError: there is none, it has another format, or it is damaged; one line says which.
    """
    folder = Path(folder)
    missing = [name for name in (RECORD, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        raise ValueError(f"{folder} holds no adapter: {', '.join(missing)} is not there")
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{folder / RECORD} cannot be read ({_told(error)}): save the adapter anew"
        ) from None
    if not isinstance(record, dict):
        raise ValueError(f"{folder / RECORD} is no record of an adapter: save the adapter anew")
    if record.get("format") != FORMAT:
        raise ValueError(
            f"{folder} has format {record.get('format')!r}, this code reads {FORMAT}: save the adapter anew"
        )
    wrong = [name for name, kind in FIELDS.items() if not isinstance(record.get(name), kind)]
    if wrong:
        raise ValueError(f"{folder / RECORD} is damaged: {', '.join(wrong)} missing or of another type")
    try:
        if _sha256(folder / WEIGHTS) != record["weights"]:
            raise ValueError("its sha256 is not the record's")
        return record, load_file(folder / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(f"{folder / WEIGHTS} is damaged ({_told(error)}): save the adapter anew") from None


def bytes_on_disk(folder: str | Path) -> int:
    """Size of an adapter's two files in bytes, without the backbone."""
    return sum((Path(folder) / name).stat().st_size for name in (RECORD, WEIGHTS))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _told(error: Exception) -> str:
    return getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
