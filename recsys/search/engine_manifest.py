"""The manifest of a saved search engine: what its files must be, and what made them."""

from __future__ import annotations

import json
from pathlib import Path

from recsys.search.errors import SearchError

FORMAT = 3
MANIFEST = "engine.json"


def saved_source(folder: str | Path) -> str | None:
    """sha256 of the file that a saved engine's catalogue was read from; None where `save` was not told it.

    Raises:
        SearchError: no engine there, a damaged one, or one of another format.
    """
    return read_manifest(Path(folder))["source"] or None


def read_manifest(folder: Path) -> dict:
    """Its entries, checked; raises as `saved_source`."""
    texts = ("backbone", "catalogue", "index", "source", "variant", "titles")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        found = manifest.get("format")
        if found == FORMAT:
            if wrong := [key for key in texts if not isinstance(manifest[key], str)]:
                raise ValueError(f"{wrong[0]} is no text")
            if not 0 <= float(manifest["words_weight"]) <= 1:
                raise ValueError("words_weight is not in [0, 1]")
            return {key: manifest[key] for key in (*texts, "words_weight")}
    except FileNotFoundError:
        raise SearchError(f"{folder} holds no search engine ({MANIFEST} is not there): build one") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SearchError(f"{folder / MANIFEST} is damaged ({error}): build the engine again") from None
    raise SearchError(f"{folder} was written in format {found}, this code reads {FORMAT}")
