"""A digest for every number of a published record, so that a later change of any one is seen and named.

Ranking metrics are computed again from the ranks; for the other numbers (seconds, coverage, memory, ...)
there is nothing to compute them from but the run. This guards against drift by hand or by a bad merge, not
against somebody who means harm.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

SEAL = "seal"


def numbers(node: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """(dotted path, value) of every number in a record."""
    if isinstance(node, dict):
        for key, value in node.items():
            if (path, key) != ("", SEAL):
                yield from numbers(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from numbers(value, f"{path}.{index}")
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield path, node


def sealed(record: dict[str, Any]) -> dict[str, Any]:
    """The record with its seal added."""
    return {**record, SEAL: {path: _digest(value) for path, value in numbers(record)}}


def broken(record: dict[str, Any]) -> list[str]:
    """What is wrong with the numbers of a sealed record, one line each."""
    seal = record.get(SEAL)
    if seal is None:
        return ["it has no seal: publish it with `recsys publish`"]
    now = dict(numbers(record))
    changed = [
        f"{path} is {now[path]!r}, which is not the number that was published"
        for path in now
        if path in seal and seal[path] != _digest(now[path])
    ]
    return changed + [
        f"{path} was {'added' if path in now else 'removed'} later" for path in now.keys() ^ seal.keys()
    ]


def _digest(value: float) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:8]
