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
        path.write_text(text, encoding="utf-8")
        self.written.add(name)
        return name

    def begin(self) -> None:
        """Refuse a folder that contains another site."""
        if (self.root / "index.html").exists() and not (self.root / MANIFEST).exists():
            raise ReportError(
                f"{self.root} holds an index.html that no report wrote; give another folder with --out"
            )
        self.root.mkdir(parents=True, exist_ok=True)

    def finish(self) -> None:
        """Remove files of an earlier report that were not written again, and save the new list."""
        manifest = self.root / MANIFEST
        earlier = json.loads(manifest.read_text(encoding="utf-8"))["files"] if manifest.exists() else []
        for name in set(earlier) - self.written:
            path = (self.root / name).resolve()
            if path.is_relative_to(self.root.resolve()):
                path.unlink(missing_ok=True)
        manifest.write_text(json.dumps({"files": sorted(self.written)}, indent=1) + "\n", encoding="utf-8")
