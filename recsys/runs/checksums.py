"""A checksum for every value of a published record, so that a later change of any one is found and named.

Ranking metrics can be recomputed from the ranks; other values (seconds, coverage, the commit, a model's name,
...) cannot. This protects against accidental edits and bad merges, not against deliberate forgery.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

CHECKSUMS = "checksums"


def values(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted path, value) of every text, number, boolean, null and empty container of a record."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            if (path, key) != ("", CHECKSUMS):
                yield from values(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list) and node:
        for index, value in enumerate(node):
            yield from values(value, f"{path}.{index}")
    else:
        yield path, node


def with_checksums(record: dict[str, Any]) -> dict[str, Any]:
    """The record with a digest of each of its values added."""
    bare = {name: value for name, value in record.items() if name != CHECKSUMS}
    return {**bare, CHECKSUMS: {path: _digest(value) for path, value in values(bare)}}


def altered(record: dict[str, Any]) -> list[str]:
    """Values of a published record that differ from their checksums, one line each."""
    published = record.get(CHECKSUMS)
    if not isinstance(published, dict):
        return ["it has no checksums: publish it with `recsys publish`"]
    now = dict(values(record))
    changed = [
        f"{path} is {now[path]!r}, which is not what was published"
        for path in now
        if path in published and published[path] != _digest(now[path])
    ]
    return changed + [
        f"{path} was {'added' if path in now else 'removed'} later" for path in now.keys() ^ published.keys()
    ]


def content_name(content: dict[str, Any]) -> str:
    """16 hexadecimal digits of sha256 of some content, the file name under which records share it."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:8]
