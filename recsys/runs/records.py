"""Reading the records that runs left behind, the reader's own or the committed reference."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

FORMAT = 1  # of record.json

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Record:
    """One finished run; the fields are those of its record.json (see README, "What a record holds")."""

    folder: Path
    raw: dict[str, Any] = field(repr=False)

    def __getattr__(self, name: str) -> Any:
        # Frozen dataclasses reach here only for names that are no field: the record's own.
        try:
            return object.__getattribute__(self, "raw")[name]
        except KeyError:
            raise AttributeError(f"{self.folder.name}/record.json has no '{name}'") from None

    def positions(self) -> "pd.DataFrame | None":
        """Rank positions per user and target, None when the run recorded none."""
        import pandas as pd

        path = self.folder / "ranks.parquet"
        return pd.read_parquet(path) if path.is_file() else None


def read_record(folder: Path) -> Record | None:
    """The record of a run folder; None when there is none or it is not whole."""
    try:
        raw = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Record(folder, raw) if isinstance(raw, dict) and raw.get("format") == FORMAT else None


def load_records(folder: Path, experiment: str | None = None) -> list[Record]:
    """Every finished run below `folder` (experiments/runs or experiments/reference), sorted by name.

    Folders whose name starts with a dot are runs in flight; those ending in `.failed` hold no record.
    """
    found = sorted(folder.glob(f"{experiment or '*'}/*/record.json"))
    records = (read_record(path.parent) for path in found if not path.parent.name.startswith("."))
    return [record for record in records if record is not None]
