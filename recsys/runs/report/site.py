"""The folder that a report is written into: which files are its own, and which an earlier report left."""

import json
from dataclasses import dataclass, field
from pathlib import Path

MANIFEST = "site.json"


class ReportError(RuntimeError):
    """The site can't be written where it was asked for."""


@dataclass
class Site:
    """The folder being written; it knows every file that this command put there."""

    root: Path
    written: set[str] = field(default_factory=set)

    def write(self, name: str, text: str) -> str:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.written.add(name)
        return name

    def begin(self) -> None:
        """Refuse a folder with somebody else's site."""
        if (self.root / "index.html").exists() and not (self.root / MANIFEST).exists():
            raise ReportError(
                f"{self.root} holds an index.html that no report wrote; give another folder with --out"
            )
        self.root.mkdir(parents=True, exist_ok=True)

    def finish(self) -> None:
        """Remove what an earlier report left and this one did not write again; keep the new list."""
        manifest = self.root / MANIFEST
        earlier = json.loads(manifest.read_text(encoding="utf-8"))["files"] if manifest.exists() else []
        for name in set(earlier) - self.written:
            path = (self.root / name).resolve()
            if path.is_relative_to(self.root.resolve()):
                path.unlink(missing_ok=True)
        manifest.write_text(json.dumps({"files": sorted(self.written)}, indent=1) + "\n", encoding="utf-8")
