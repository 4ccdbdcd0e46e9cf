"""A log of trials that a kill at any moment leaves readable: a JSON line an event, on disk before it counts.

The first line says what is searched; a log of something else is never gone on with. A last line that was cut
off in the middle is dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class TrialLogError(ValueError):
    """The log belongs to another search, or is none."""


class TrialLog:
    """The log in a file, made with its folder where there is none.

    Args:
        path: of the file.
        identity: what is searched, plain values; must be that of the log that is there.

    Raises:
        TrialLogError: the file is another search's log (the first difference is named) or no log at all.

    Attributes:
        events: what was logged before, the identity left out.
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
    """What is searched, and the events; nothing is changed, so that a running search can be looked at.

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
    """The lines that are there, the file cut after the last whole one."""
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
