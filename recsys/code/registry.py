"""Registries that hold names and `module:object` texts and import an entry only when it is asked for.

A new model, data set or method is one file and one line here, and a run depends on the entries that it
loaded alone: `loaded()` is what its record keeps, and `recsys.code.reach` reads the same texts.
"""

import difflib
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

_loaded: set[tuple[str, str]] = set()


class RegistryError(ValueError):
    """A name that no registry entry has, or an entry whose target does not exist."""


class Registry(Mapping[str, str]):
    """Names of one kind of thing, each with the place of the object that makes it.

    Args:
        what: the kind, in words, such as "model"; told in errors.
        entries: name → "package.module:object".

    Example:
        >>> BASELINES = Registry("baseline", {"ease": "recsys.baselines.ease:EASE"})
        >>> BASELINES.load("ease")(penalty=100.0)
    """

    def __init__(self, what: str, entries: Mapping[str, str]) -> None:
        self.what = what
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> str:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def check(self, name: str) -> str:
        """The name itself.

        Raises:
            RegistryError: it is not registered; the message names the nearest and lists all.
        """
        if name not in self._entries:
            near = difflib.get_close_matches(name, self._entries, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise RegistryError(f"no {self.what} {name!r}{hint} (there are: {', '.join(self._entries)})")
        return name

    def load(self, name: str) -> Any:
        """The object registered under a name, imported now if it was not before.

        Raises:
            RegistryError: unknown name, or the module lacks the object.
            ImportError: the module needs a package that is not installed; the message names it.
        """
        target = self._entries[self.check(name)]
        _loaded.add((self.what, name))
        module, _, attribute = target.partition(":")
        found = importlib.import_module(module)
        try:
            return getattr(found, attribute)
        except AttributeError:
            raise RegistryError(f"{self.what} {name!r}: {module} has no {attribute!r}") from None


def loaded() -> list[str]:
    """Every entry that this process asked for, as "kind/name", sorted."""
    return sorted(f"{what}/{name}" for what, name in _loaded)
