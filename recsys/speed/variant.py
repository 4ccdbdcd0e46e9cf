"""One way of computing the same vectors: what it is called, what it needs, how it is built and loaded."""

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
    """A variant that cannot compute this architecture; one line says why."""


@dataclass(frozen=True)
class Variant:
    """A way of computing the vectors, as data: nothing is imported before it is used.

    name: in tables. idea: one line.
    precision: of its matrix products, which sets the limit that it is compared with.
    packages: distributions that it needs beside torch, transformers and tokenizers.
    builder: "module:function", called as f(backbone, folder, texts, **options): writes files that need no
        pickle. `texts` are for calibration.
    loader: "module:function", called as f(folder, words, **options): returns an `Engine`.
    options: keyword arguments of both.
    quick: loads in under a second, so that it can serve `fast_encoder`.
    one_at_a_time: texts are encoded one at a time, see `recsys.speed.encoder.Encoder`.
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
        """What it depends on and the versions installed."""
        return {name: _version(name) for name in ("torch", "tokenizers", "numpy", *self.packages)}

    def code(self) -> str:
        """sha256 of all the code that its builder and loader can reach: other code, another artefact."""
        return _code(self.builder, self.loader)

    def build(self, backbone, folder: Path, texts: list[str]) -> None:
        self._function(self.builder)(backbone, folder, texts, **self.options)

    def load(self, folder: Path, words) -> Callable:
        return self._function(self.loader)(folder, words, **self.options)

    @staticmethod
    def _function(reference: str) -> Callable:
        return pkgutil.resolve_name(reference)


@cache  # `fast_encoder` asks for every variant, and a process keeps the code that it began with
def _code(*places: str) -> str:
    return code_hash(*places)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
