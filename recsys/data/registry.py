"""Registry entries of data sets: their fields, read from Python or from a user's own YAML file.

A YAML file named by the environment variable RECSYS_SOURCES adds data sets without touching code::

    toys:
      family: s3rec                        # of recsys.data.families
      title: Amazon Toys and Games 2014
      licence: none stated; research use
      files:
        - name: Toys_and_Games.txt
          role: sequences                  # what the loader uses it for
          url: https://raw.githubusercontent.com/salesforce/ICLRec/<commit>/data/Toys_and_Games.txt
          sha256: 64 hexadecimal digits    # optional: without it the file is hashed and recorded as it is

The other fields of a file are `urls` (mirrors, tried in order), `size` (bytes) and `path` (its place inside
RECSYS_DATA and the cache, default "<family>/<name>" and for title files
"<family>/transrec_<data set>/<name>"; an absolute path is only read, never written). A file without any
URL is one that the user downloads from `homepage` and places by hand. An entry with the name of a built-in
data set replaces it. `options` depend on the family: for your own CSV or Parquet of events see
`recsys.data.logs.table`.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from recsys.data.errors import RegistryError
from recsys.data.families import KINDS, Family, family

DEEPEST = 50  # levels; Python's own limit of calls must not be met, where finalizers fail as well


@dataclass(frozen=True)
class SourceFile:
    """One file of a data set.

    name: unique within its data set; `<data set>/<name>` is what run records quote.
    role: what the loader uses it for, one of its family's roles.
    path: place inside RECSYS_DATA and inside the cache, with forward slashes.
    urls: tried in order; empty when a user must place the file.
    sha256: 64 lower-case hexadecimal digits, or None when the file is not pinned.
    size: bytes, or None when unknown.
    """

    name: str
    role: str
    path: str
    urls: tuple[str, ...] = ()
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True)
class Source:
    """One data set: what it is, on which terms, and of which files it consists.

    derived_sha256: of the item table that the s3rec loader derives from a title source, or None.
    options: of the family's loader, for instance the columns of a table.
    """

    name: str
    family: str
    title: str
    licence: str
    files: tuple[SourceFile, ...]
    homepage: str = ""
    derived_sha256: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """Where the data set is from: its home page, else its first URL, else that a user places it."""
        urls = (url for file in self.files for url in file.urls)
        return self.homepage or next(urls, "placed by hand")

    def file(self, name: str) -> SourceFile:
        """The file of that name. Raises RegistryError with the names that exist."""
        for file in self.files:
            if file.name == name:
                return file
        known = [file.name for file in self.files]
        raise RegistryError(unknown("file", name, known, f"data set {self.name}"))

    def role(self, role: str) -> SourceFile | None:
        """The file with that role, or None."""
        return next((file for file in self.files if file.role == role), None)


def unknown(kind: str, name: str, known: list[str], owner: str) -> str:
    """Error text for an unknown name: suggests the nearest valid name and lists all."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{owner} has no {kind} {name!r}{hint} (it has: {', '.join(sorted(known))})"


class _Strict(yaml.SafeLoader):
    """Refuses a key that stands twice, of which PyYAML would silently take the last, and deep nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.depth > DEEPEST:
            raise yaml.MarkedYAMLError(None, None, "nested too deeply", self.peek_event().start_mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(None, None, f"the key {key.value!r} stands twice", key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


def read_registry(path: Path) -> dict[str, Source]:
    """Data sets of a YAML file in the form shown at the head of this module.

    Raises:
        RegistryError: the file is missing, is no YAML mapping, or an entry is wrong (the message says which).
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Strict)
    except OSError as error:
        raise RegistryError(f"RECSYS_SOURCES: cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RegistryError(f"RECSYS_SOURCES: {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise RegistryError(f"RECSYS_SOURCES: {path} must map data set names to entries")
    return {str(name): source_from(str(name), entry) for name, entry in content.items()}


def source_from(name: str, entry: Any) -> Source:
    """A Source from the mapping that YAML gives. Raises RegistryError."""
    owner = f"data set {name}"
    entry = _checked(entry, owner, {each.name for each in fields(Source)} - {"name"}, {"family", "files"})
    name_of_family = str(entry["family"])
    known = [each for registry in KINDS for each in registry]
    if name_of_family not in known:
        raise RegistryError(unknown("family", name_of_family, known, "the registry"))
    read_by = family(name_of_family)
    if not isinstance(entry["files"], list) or not entry["files"]:
        raise RegistryError(f"{owner}: files must be a list of at least one file")
    files = tuple(_file_from(file, read_by, name_of_family, name) for file in entry["files"])
    for what in ("name", "role"):
        values = [getattr(file, what) for file in files]
        if len(set(values)) < len(values):
            roles = ", ".join(read_by.roles)
            raise RegistryError(f"{owner}: two files have the same {what} (roles are {roles})")
    roles = {file.role for file in files}
    if read_by.roles[0] not in roles:
        raise RegistryError(f"{owner}: no file has the role {read_by.roles[0]!r}")
    options = entry.get("options", {})
    if not isinstance(options, dict):
        raise RegistryError(f"{owner}: options must be a mapping, not {type(options).__name__}")
    if fault := read_by.fault(roles, options):
        raise RegistryError(f"{owner}: {fault}")
    return Source(
        name=name,
        family=name_of_family,
        title=str(entry.get("title", name)),
        licence=str(entry.get("licence", "not stated")),
        files=files,
        homepage=str(entry.get("homepage", "")),
        derived_sha256=_sha256(entry.get("derived_sha256"), owner),
        options=options,
    )


def _file_from(entry: Any, read_by: Family, folder: str, dataset: str) -> SourceFile:
    owner = f"data set {dataset}"
    allowed = {each.name for each in fields(SourceFile)} | {"url"}
    entry = _checked(entry, f"{owner}, files", allowed, {"name"})
    name = str(entry["name"])
    owner = f"{owner}, file {name}"
    role = str(entry.get("role", read_by.roles[0]))
    if role not in read_by.roles:
        raise RegistryError(unknown("role", role, list(read_by.roles), owner))
    if "url" in entry and "urls" in entry:
        raise RegistryError(f"{owner}: give either url or urls")
    urls = entry.get("urls", entry.get("url"))
    urls = [urls] if isinstance(urls, str) else urls or []
    if not isinstance(urls, list):
        raise RegistryError(f"{owner}: urls must be a list of addresses, not {urls!r}")
    for url in urls:
        if not str(url).startswith(("http://", "https://")):
            raise RegistryError(f"{owner}: {url!r} is no http(s) URL; name a local file by path instead")
    folder = read_by.folders.get(role, folder).format(name=dataset)
    place = PurePosixPath(str(entry.get("path", f"{folder}/{name}")))
    if ".." in place.parts:
        raise RegistryError(f"{owner}: path {str(place)!r} must not climb out of its folder with '..'")
    size = entry.get("size")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise RegistryError(f"{owner}: size must be a number of bytes, not {size!r}")
    if not f"{name}{place}".isprintable():
        raise RegistryError(f"{owner}: name and path must be printable, not {name!r} and {str(place)!r}")
    if "/" in name:
        raise RegistryError(f"{owner}: name is a plain file name; a folder belongs into path")
    return SourceFile(name, role, str(place), tuple(urls), _sha256(entry.get("sha256"), owner), size)


def _checked(entry: Any, owner: str, allowed: set[str], required: set[str]) -> Mapping[str, Any]:
    if not isinstance(entry, dict):
        raise RegistryError(f"{owner}: must be a mapping of fields, not {type(entry).__name__}")
    for named in entry:
        if named not in allowed:
            raise RegistryError(unknown("field", str(named), list(allowed), owner))
    missing = required - set(entry)
    if missing:
        raise RegistryError(f"{owner}: {' and '.join(sorted(missing))} missing")
    return entry


def _sha256(value: Any, owner: str) -> str | None:
    if value is None:
        return None
    digest = str(value).lower().removeprefix("sha256:")
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise RegistryError(f"{owner}: sha256 must be 64 hexadecimal digits in quotes, not {value!r}")
    return digest
