"""Reading the records that runs left behind, the reader's own or the committed reference."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys.runs.checksums import content_name

FORMAT = 2  # of record.json
PROVENANCE = "provenance"  # folder beside published experiments, and <name>.json in a run's own folder

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

    @property
    def name(self) -> str:
        """Experiment and run, as messages name a record."""
        return f"{self.raw['experiment']}/{self.raw['run']}"

    def provenance(self) -> dict[str, Any] | None:
        """Definitions and versions that the run depended on; None where they are lost or are not those."""
        shared = self.folder.parents[1] / PROVENANCE / f"{self.raw['code'][PROVENANCE]}.json"
        own = self.folder / f"{PROVENANCE}.json"
        path = own if own.is_file() else shared
        return _read_provenance(path, self.raw["code"][PROVENANCE])

    def positions(self) -> "pd.DataFrame | None":
        """Rank positions per user and target, None when the run recorded none."""
        import pandas as pd

        path = self.folder / "ranks.parquet"
        return pd.read_parquet(path) if path.is_file() else None


@cache
def _read_provenance(path: Path, name: str) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if content_name(content) == name else None


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
