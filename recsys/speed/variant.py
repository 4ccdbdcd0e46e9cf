"""A variant: one way of computing a model's vectors, with its name, packages, builder and loader."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from recsys.code.reach import code_hash


class NotForThisModel(ValueError):
    """A variant does not support this architecture; one line says why."""


@dataclass(frozen=True)
class Variant:
    """A way of computing the vectors, described as data: nothing is imported before it is used.

    name: shown in tables. idea: one line.
    precision: of its matrix products; determines the machine's peak speed that it is compared with.
    packages: distributions that it needs beside torch, transformers and tokenizers.
    builder: "module:function", called as f(backbone, folder, texts, **options); writes files without
        pickle. `texts` are for calibration.
    loader: "module:function", called as f(folder, words, **options); returns an `Engine`.
    options: keyword arguments of both.
    quick: whether it loads in under a second, so that `fast_encoder` may use it.
    one_at_a_time: whether texts are encoded one at a time, see `recsys.speed.encoder.Encoder`.
    """

    name: str
    idea: str
    precision: Literal["fp32", "bf16", "int8"]
    builder: str
    loader: str
    packages: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    quick: bool = True
    one_at_a_time: bool = False

    def missing(self) -> list[str]:
        """The packages that are not installed."""
        return [name for name, found in self.versions().items() if found is None]

    def versions(self) -> dict[str, str | None]:
        """Packages that it depends on, with the installed versions."""
        return {name: _version(name) for name in ("torch", "tokenizers", "numpy", *self.packages)}

    def code(self) -> str:
        """sha256 of all code that its builder and loader can reach, as part of an artefact's key."""
        return _code(self.builder, self.loader)

    def build(self, backbone, folder: Path, texts: list[str]) -> None:
        """Call the builder: writes the variant's files into the folder."""
        self._function(self.builder)(backbone, folder, texts, **self.options)

    def load(self, folder: Path, words) -> Callable:
        """Call the loader: returns the `Engine` of a built folder."""
        return self._function(self.loader)(folder, words, **self.options)

    @staticmethod
    def _function(reference: str) -> Callable:
        return pkgutil.resolve_name(reference)


@cache  # `fast_encoder` asks for every variant; a process's code does not change
def _code(*places: str) -> str:
    return code_hash(*places)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
