"""`recsys export --ro-crate`: records as a Process Run Crate (RO-Crate 1.1, Workflow Run profile 0.5).

Every run is a CreateAction: its notebook, as of the run's commit, is the instrument; parameters and data
files are its objects, the record with its tables and provenance its results. Data are named with checksum and
licence, never copied, because many may not be redistributed.
"""

import io
import shutil
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import yaml

from recsys.data.sources import all_sources
from recsys.runs import paths
from recsys.runs.grid.git import content_at
from recsys.runs.records import PROVENANCE, Record

if TYPE_CHECKING:
    from rocrate.model.entity import Entity
    from rocrate.rocrate import ROCrate

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
SPDX = "https://spdx.org/licenses/"
SHA256 = {"sha256": "https://schema.org/sha256"}  # younger than the context of RO-Crate 1.1

FORMATS = {".json": "application/json", ".parquet": "application/vnd.apache.parquet"}


class ExportError(RuntimeError):
    """The crate can't be written."""


def export(records: list[Record], folder: Path) -> int:
    """Write a crate of these records, completely or not at all; returns the number of runs.

    Args:
        folder: must not exist yet, or be empty.

    Raises:
        ExportError: there is no record, a file of one is missing, the folder is not empty, or rocrate is not
            installed.
    """
    try:
        from rocrate.rocrate import ROCrate
    except ImportError:
        raise ExportError("the package rocrate is not installed: install requirements.lock") from None
    if not records:
        raise ExportError("there is no record to export: choose other experiments, or give --runs")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportError(f"{folder} is not empty: give a new folder")
    missing = [f"{r.name}/{name}" for r in records for name in r.files if not (r.folder / name).is_file()]
    if missing:
        raise ExportError(
            f"{missing[0]} is missing ({len(missing)} files in all): repeat the run with --force"
        )
    folder = folder.absolute()  # "." has no name
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms.update(SHA256)
    _Runs(crate).add(records)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)  # of an export that was stopped
    crate.write(partial)
    partial.replace(folder)
    return len(records)


class _Runs:
    """Adds runs to a crate; what runs share (notebook, package, data file, setting) is added once."""

    def __init__(self, crate: "ROCrate") -> None:
        self.crate, self.sources = crate, all_sources()
        cited = yaml.safe_load((paths.PROJECT / "CITATION.cff").read_text(encoding="utf-8"))
        self.licence = self._once(f"{SPDX}{cited['license']}", "CreativeWork", name=cited["license"])
        authors = ", ".join(author.get("name", "") for author in cited["authors"])
        self.agent = self._once("#authors", "Organization", name=authors)
        root = crate.root_dataset
        root["name"], root["license"] = cited["title"], self.licence
        root["author"] = root["publisher"] = self.agent
        root["description"] = "Runs of the kit's notebooks: records, rank positions, provenance."
        version = PROFILE.rpartition("/")[2]
        root["conformsTo"] = self._once(PROFILE, "CreativeWork", name="Process Run Crate", version=version)

    def add(self, records: Iterable[Record]) -> None:
        self.crate.root_dataset["mentions"] = [self._action(record) for record in records]

    def _once(self, identifier: str, kind: str | list[str], **properties: Any) -> "Entity":
        from rocrate.model.contextentity import ContextEntity

        found = self.crate.dereference(identifier)
        if found is None:
            found = self.crate.add(ContextEntity(self.crate, identifier, {"@type": kind, **properties}))
        return found

    def _file(self, source: Path, place: str, **properties: Any) -> "Entity":
        properties["encodingFormat"] = FORMATS.get(source.suffix, "application/octet-stream")
        return self.crate.dereference(quote(place)) or self.crate.add_file(
            source, place, properties=properties
        )

    def _action(self, record: Record) -> "Entity":
        began = datetime.fromisoformat(record.started)
        machine = f"{record.machine['processor']}, {record.threads} threads"
        place = f"runs/{record.name}"
        results = [
            self._file(record.folder / "record.json", f"{place}/record.json", name="Record of the run")
        ]
        results[0]["encodingFormat"] = "application/json"
        for name, digest in record.files.items():
            results.append(self._file(record.folder / name, f"{place}/{name}", name=name, sha256=digest))
        if made_from := record.provenance_file():
            shared = f"{PROVENANCE}/{record.code[PROVENANCE]}.json"
            results.append(self._file(made_from, shared, name="Definitions and versions it depended on"))
        return self.crate.add_action(
            self._notebook(record),
            f"#run/{quote(record.name)}",
            object=[self._data(*one) for one in record.data.items()]
            + [self._setting(*one) for one in record.parameters.items()],
            result=results,
            properties={
                "name": record.name,
                "description": f"Profile {record.profile}, {record.machine['device']} ({machine})",
                "startTime": began.isoformat(timespec="milliseconds"),
                "endTime": (began + timedelta(seconds=record.seconds)).isoformat(timespec="milliseconds"),
                "agent": {"@id": self.agent.id},
                "actionStatus": "http://schema.org/CompletedActionStatus",
            },
        )

    def _notebook(self, record: Record) -> "Entity":
        """The notebook as of the run's commit, with its packages; only its name if the commit is missing."""
        path, commit = record.code["notebook"]["path"], record.code["commit"] or "uncommitted"
        versions = (record.provenance() or {}).get("versions", {})
        place = f"code/{commit[:12]}/{record.code[PROVENANCE]}/{path}"
        known = {"name": Path(path).name, "version": commit, "license": {"@id": self.licence.id}}
        if (found := self.crate.dereference(quote(place)) or self.crate.dereference(f"#{place}")) is not None:
            return found
        content = content_at(commit, path)
        if content is None:
            notebook = self._once(f"#{place}", "SoftwareSourceCode", **known)
        else:
            kinds = {"@type": ["File", "SoftwareSourceCode"], "encodingFormat": "application/x-ipynb+json"}
            notebook = self.crate.add_file(io.StringIO(content), place, properties=known | kinds)
        notebook["softwareRequirements"] = [self._package(*one) for one in versions.items()]
        return notebook

    def _package(self, name: str, version: str) -> "Entity":
        page = "https://www.python.org/#" if name == "python" else f"https://libraries.io/pypi/{name}/"
        told = {"name": name, "softwareVersion": version, "url": page + version}
        return self._once(page + version, "SoftwareApplication", **told)

    def _data(self, name: str, digest: str) -> "Entity":
        source = self.sources.get(name.partition("/")[0])
        told = {"name": name, "sha256": digest, "additionalType": "Dataset"}
        if source:
            terms = self._once(f"#licence/{quote(source.name)}", "CreativeWork", name=source.licence)
            told |= {"license": {"@id": terms.id}, "description": f"{source.title}; {source.origin}"}
        return self._once(f"#data/{quote(name)}/{digest[:12]}", "CreativeWork", **told)

    def _setting(self, name: str, value: Any) -> "Entity":
        text = value if isinstance(value, bool | int | float | str) else repr(value)
        return self._once(f"#setting/{quote(f'{name}={value!r}')}", "PropertyValue", name=name, value=text)
