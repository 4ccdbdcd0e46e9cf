"""Registries: names that stand for `module:function` texts, each imported only when it is asked for.

A new model, data set or method is one file and one line here. A run depends only on the entries that it
loaded: `loaded()` lists them for the run's record, and `recsys.code.reach` reads the same texts.
"""

import difflib
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

_loaded: set[tuple[str, str]] = set()


class RegistryError(ValueError):
    """An unknown name, or an entry whose target does not exist."""


class Registry(Mapping[str, str]):
    """A read-only mapping: name → place ("package.module:object") of the object that it stands for.

    Args:
        what: the kind of thing, such as "model"; used in error messages.
        entries: name → "package.module:object". A new registry in `recsys` must hold plain string literals.

    Example:
        >>> SCORERS = Registry("scorer", {"ease": "recsys.baselines.ease:EASE"})
        >>> list(SCORERS), SCORERS["ease"]
        (['ease'], 'recsys.baselines.ease:EASE')
        >>> SCORERS.load("ease").__name__
        'EASE'
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
        """Return the name if it is registered.

        Raises:
            RegistryError: it is not; the message suggests the nearest name and lists all.
        """
        if name not in self._entries:
            near = difflib.get_close_matches(name, self._entries, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise RegistryError(f"no {self.what} {name!r}{hint} (there are: {', '.join(self._entries)})")
        return name

    def load(self, name: str) -> Any:
        """The registered object; its module is imported if it was not before.

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
    """Every entry that this process has loaded so far, as "kind/name", sorted."""
    return sorted(f"{what}/{name}" for what, name in _loaded)
