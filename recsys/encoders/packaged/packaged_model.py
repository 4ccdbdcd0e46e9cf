"""Describes weights inside an installed package, and reads them after a check of their sha256.

A package is located without importing it, so none of its code runs. Its version is not trusted: a file is
accepted if it has the pinned sha256, whatever the version says, and refused otherwise.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from recsys.encoders.model_folders import BackboneError

_read: dict[str, str] = {}


class PackagedError(BackboneError):
    """Packaged weights are missing or not the pinned ones; one line with the command that installs them."""


@dataclass(frozen=True)
class PackagedFile:
    """One file inside a package. place: from site-packages on, with forward slashes. size: bytes."""

    place: str
    sha256: str
    size: int


@dataclass(frozen=True)
class PackagedModel:
    """Where a model's weights are, and their licence.

    Attributes:
        name: as `load_backbone` and its siblings take it. kind: "text", "picture" or "sound".
        extra: the optional extra that installs it; "" where the core installation includes the package.
        package, version: of the Python index. files: weights first.
        parameters: number of parameters. width: of its vectors.
        licence: of the weights, as stated. licence_from: who states it. original: the published model.
        not_said: provenance that the package does not state.
        beside: further requirements for reading the weights.
        no_deps: the package's own requirements are heavy and not needed: install it with --no-deps.
    """

    name: str
    kind: str
    extra: str
    package: str
    version: str
    files: tuple[PackagedFile, ...]
    parameters: int
    width: int
    licence: str
    licence_from: str
    original: str
    not_said: str
    beside: tuple[str, ...] = ()
    no_deps: bool = False

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def command(self) -> str:
        """Shell command that installs it."""
        plain = [f"{self.package}=={self.version}"]
        if not self.no_deps:
            return "pip install " + " ".join([*plain, *self.beside])
        beside = f" && pip install {' '.join(self.beside)}" if self.beside else ""
        return f"pip install --no-deps {plain[0]}{beside}"

    def path(self, index: int = 0, verify: bool = True) -> Path:
        """Path of a file, its bytes checked.

        Raises:
            PackagedError: the package is not here, or the file has another length or sha256.
        """
        file = self.files[index]
        path = self._locate(file)
        if verify:
            with path.open("rb") as stream:
                self._check(file, path.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest())
        return path

    def read(self, index: int = 0) -> bytes:
        """The bytes of a file, checked after reading. Raises as `path`."""
        file = self.files[index]
        content = self._locate(file).read_bytes()
        self._check(file, len(content), hashlib.sha256(content).hexdigest())
        return content

    def state(self) -> str:
        """ "here", "not installed", or "damaged: ..." in one line; every byte is read."""
        try:
            for index in range(len(self.files)):
                self.path(index)
        except PackagedError as error:
            return "not installed" if not self.installed() else f"damaged: {error}"
        return "here"

    def installed(self) -> bool:
        """Whether a file of each name is there, whatever its content."""
        try:
            for file in self.files:
                self._locate(file)
        except PackagedError:
            return False
        return True

    def _locate(self, file: PackagedFile) -> Path:
        module, _, within = file.place.partition("/")
        spec = importlib.util.find_spec(module)  # of a top-level name: finds, does not import
        for folder in (spec.submodule_search_locations or []) if spec else []:
            if (path := Path(folder) / within).is_file():
                return path
        extra = f"the extra {self.extra!r}" if self.extra else "the package"
        raise PackagedError(
            f"model {self.name!r} needs {extra}, which is not installed ({file.place} not found): "
            f"{self.command}"
        )

    def _check(self, file: PackagedFile, size: int, sha256: str) -> None:
        if size == file.size and sha256 == file.sha256:
            _read[file.place] = sha256
            return
        try:
            found = metadata.version(self.package)
        except metadata.PackageNotFoundError:
            found = "of unknown version"
        version = f"package {self.package} is {found}, not {self.version}; " if found != self.version else ""
        what = f"{size:,} bytes, not {file.size:,}" if size != file.size else f"sha256 {sha256[:12]}…"
        mend = self.command.replace("pip install", "pip install --force-reinstall", 1)
        raise PackagedError(
            f"packaged weights {file.place} are not the pinned ones ({what}; pinned sha256 "
            f"{file.sha256[:12]}…): {version}mend it with `{mend}`"
        )


def weights_read() -> dict[str, str]:
    """Place → sha256 of every packaged file that this process has read, for the record of a run."""
    return dict(sorted(_read.items()))
