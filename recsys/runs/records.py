"""Reads the records of finished runs, the reader's own or the committed reference."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys.runs.checksums import content_name

FORMAT = 2  # of record.json (its fields: `recsys.runs.record_shape`)
PROVENANCE = "provenance"  # folder beside published experiments, and <name>.json in a run's own folder

if TYPE_CHECKING:
    import pandas as pd


POSITIONS = ("user", "better", "equal")  # columns that ranking metrics are computed from


class RecordFileError(RuntimeError):
    """A table beside a record can't be read."""


@dataclass(frozen=True)
class Record:
    """One finished run; attributes are the fields of its record.json (see `recsys.runs.record_shape`)."""

    folder: Path
    raw: dict[str, Any] = field(repr=False)

    def __getattr__(self, name: str) -> Any:
        # called only for names that are not dataclass fields: the record's own
        try:
            return object.__getattribute__(self, "raw")[name]
        except KeyError:
            raise AttributeError(f"{self.folder.name}/record.json has no '{name}'") from None

    @property
    def name(self) -> str:
        """Name of the record in messages: its experiment, a slash, its run."""
        return f"{self.raw['experiment']}/{self.raw['run']}"

    def provenance(self) -> dict[str, Any] | None:
        """Definitions and versions that the run depended on; None if they are lost or do not match."""
        return _read_provenance(self._provenance_path(), self.raw["code"][PROVENANCE])

    def provenance_file(self) -> Path | None:
        """The file of `provenance`; None if it is lost or does not match."""
        return None if self.provenance() is None else self._provenance_path()

    def _provenance_path(self) -> Path:
        own = self.folder / f"{PROVENANCE}.json"
        shared = self.folder.parents[1] / PROVENANCE / f"{self.raw['code'][PROVENANCE]}.json"
        return own if own.is_file() else shared

    def positions(self) -> "pd.DataFrame | None":
        """Rank positions per user and target, None when the run recorded none.

        Raises:
            RecordFileError: the file is incomplete, or no table of rank positions.
        """
        path = self.folder / "ranks.parquet"
        return read_table(path, POSITIONS) if path.is_file() else None


def read_table(path: Path, columns: tuple[str, ...] = ()) -> "pd.DataFrame":
    """A table that a run recorded.

    Args:
        columns: required columns.

    Raises:
        RecordFileError: it is incomplete, no Parquet file, or lacks a column.
    """
    import pandas as pd
    import pyarrow as pa

    place = "/".join(path.parts[-3:])
    mend = "take it from git again where it is committed, else repeat the run with --force"
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise RecordFileError(f"{place} cannot be read ({str(error).splitlines()[0]:.90}): {mend}") from None
    lacking = [name for name in columns if name not in table]
    if lacking:
        raise RecordFileError(f"{place} has no column {', '.join(lacking)}: {mend}")
    return table


@cache
def _read_provenance(path: Path, name: str) -> dict[str, Any] | None:
    return provenance_in(path, name)


def provenance_in(path: Path, name: str) -> dict[str, Any] | None:
    """Contents of a provenance file; None if it is missing or its contents have another content name."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return content if content_name(content) == name else None
    except (OSError, ValueError, RecursionError):
        return None


def read_record(folder: Path) -> Record | None:
    """The record of a run folder; None if there is none or it is incomplete."""
    found = _read(folder)
    return Record(folder, found) if isinstance(found, dict) else None


def not_whole(folder: Path) -> str | None:
    """Why the record.json of a run folder is invalid; None if it is valid or missing."""
    found = _read(folder)
    return found if isinstance(found, str) else None


def _read(folder: Path) -> dict[str, Any] | str | None:
    """Contents of record.json, or why it is invalid; None if there is no such file."""
    from recsys.runs.record_shape import fault

    try:
        raw = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    except (ValueError, RecursionError):
        return "it is no JSON"
    return fault(raw) or raw


def load_records(folder: Path, experiment: str | None = None) -> list[Record]:
    """Every finished run below `folder` (experiments/runs or experiments/reference), sorted by name.

    Folders whose name starts with a dot are unfinished runs; those ending in `.failed` have no record.
    """
    found = sorted(folder.glob(f"{experiment or '*'}/*/record.json"))
    records = (read_record(path.parent) for path in found if not path.parent.name.startswith("."))
    return [record for record in records if record is not None]
