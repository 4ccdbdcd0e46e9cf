"""A crash-safe log of trials: one JSON line per event, flushed to disk before the event counts.

The first line says what is searched; a search never continues the log of another one. An incomplete last line
is dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class TrialLogError(ValueError):
    """The file is the log of another search, or no log."""


class TrialLog:
    """A log file; created, with its folder, if there is none.

    Args:
        path: of the file.
        identity: what is searched, as plain values; must equal that of an existing log.

    Raises:
        TrialLogError: the file is another search's log (the first difference is named) or no log at all.

    Attributes:
        events: events logged before, without the identity.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]):
        self.path = Path(path)
        identity = json.loads(json.dumps(dict(identity)))  # as it will be read again
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = _whole_lines(self.path)
        if lines:
            _agree(self.path, lines[0].get("search"), identity)
            self._file = self.path.open("a", encoding="utf-8")
        else:
            self._file = self.path.open("w", encoding="utf-8")
            self.append({"search": identity})
        self.events = lines[1:]

    def append(self, event: Mapping[str, Any]) -> None:
        """Write one event; it is on disk when this returns."""
        self._file.write(json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> TrialLog:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def read_log(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read a log: its identity and its events. Changes nothing, so it can be used while a search runs.

    Raises:
        TrialLogError: no such file, or no log.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise TrialLogError(f"{path}: cannot be read: {error.strerror}") from None
    lines = _parsed(text[: text.rfind("\n") + 1], path)
    if not lines or "search" not in lines[0]:
        raise TrialLogError(f"{path} is no log of trials")
    return lines[0]["search"], lines[1:]


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """All complete lines; an incomplete last line is cut off the file."""
    if not path.is_file():
        return []
    text = path.read_bytes()
    end = text.rfind(b"\n") + 1
    if end < len(text):
        with path.open("r+b") as file:
            file.truncate(end)
    return _parsed(text[:end].decode(errors="replace"), path)


def _parsed(text: str, path: Path) -> list[dict[str, Any]]:
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            lines.append(json.loads(line))
        except ValueError:
            raise TrialLogError(
                f"{path}, line {number}: not JSON; move the file away to begin anew"
            ) from None
    return lines


def _agree(path: Path, before: Any, now: dict[str, Any]) -> None:
    if not isinstance(before, dict):
        raise TrialLogError(f"{path} is no log of trials; move it away to begin anew")
    for name in dict.fromkeys([*before, *now]):
        if before.get(name) != now.get(name):
            raise TrialLogError(
                f"{path} is of another search: {name} was {before.get(name)!r}, now it is {now.get(name)!r}; "
                "ask for the same again, or move the log away"
            )
