"""The folder of a report: tracks the files written, and removes those of an earlier report."""

import json
from dataclasses import dataclass, field
from pathlib import Path

MANIFEST = "site.json"


class ReportError(RuntimeError):
    """The site can't be written to the requested folder."""


@dataclass
class Site:
    """The folder being written, with the list of files that this command wrote."""

    root: Path
    written: set[str] = field(default_factory=set)

    def write(self, name: str, text: str) -> str:
        """Write a text file; returns its name."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace")  # JSON may hold halves of a character
        self.written.add(name)
        return name

    def begin(self) -> None:
        """Refuse a folder that contains another site."""
        if (self.root / "index.html").exists() and not (self.root / MANIFEST).exists():
            raise ReportError(
                f"{self.root} holds an index.html that no report wrote; give another folder with --out"
            )
        self.root.mkdir(parents=True, exist_ok=True)
        self._list(self._earlier())  # stopped before its end, it is this command's site all the same

    def finish(self) -> None:
        """Remove files of an earlier report that were not written again, and save the new list."""
        for name in self._earlier() - self.written:
            path = (self.root / name).resolve()
            if path.is_relative_to(self.root.resolve()) and path.is_file():
                path.unlink()
        self._list(self.written)

    def _earlier(self) -> set[str]:
        """Files that an earlier report wrote; none where their list is missing or damaged: then they stay."""
        try:
            files = json.loads((self.root / MANIFEST).read_text(encoding="utf-8"))["files"]
            return {name for name in files if isinstance(name, str) and "\0" not in name}
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return set()

    def _list(self, files: set[str]) -> None:
        partial = self.root / f".{MANIFEST}.part"
        partial.write_text(json.dumps({"files": sorted(files)}, indent=1) + "\n", encoding="utf-8")
        partial.replace(self.root / MANIFEST)
