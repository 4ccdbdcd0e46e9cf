"""Which definitions some code can reach: what a run, a cached vector or an artefact depends on.

From the names that the code refers to, on to what those definitions refer to, and so on. Of a registry only
the lines that were loaded are followed. Every reference that can't be resolved to a definition counts as the
whole module that it points into, so the answer may be too large, never too small.
"""

import functools
import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from recsys.code.definitions import BODY, PACKAGE, Definition, Module, read_module

Sources = Callable[[str], str | None]  # dotted module name → its source, None when there is no such module
# EVERY_LINE: every registry entry counts. START: the code that `reach` begins from. OUTSIDE: what only runs,
# reports and downloads; it changes no number, because records keep the checksums of the files that were read.
EVERY_LINE = "*"
START = "<start>"
OUTSIDE = (f"{PACKAGE}.runs", f"{PACKAGE}.cli", f"{PACKAGE}.code", f"{PACKAGE}.data.sources")
OUTSIDE += tuple(
    f"{PACKAGE}.data.{room}{name}"
    for room in ("", "files.")
    for name in (
        "download",
        "errors",
        "registry",
        "verification",
        "locations",
    )
)
OUTSIDE += tuple(f"{PACKAGE}.data.{room}.sources" for room in ("labelled", "logs"))
OUTSIDE += (f"{PACKAGE}.data.labelled.search_sources", f"{PACKAGE}.data.media.entries")
OUTSIDE += (f"{PACKAGE}.data.sectors.entries",)
BELOW_OUTSIDE = tuple(f"{place}." for place in OUTSIDE)


@dataclass(frozen=True)
class Reach:
    """What some code depends on.

    Attributes:
        definitions: "module:name" → hash.
        packages: other packages that these definitions refer to.
        links: "module:name" → the definitions that it refers to directly; `START` stands for the code itself.
    """

    definitions: dict[str, str]
    packages: frozenset[str]
    links: dict[str, frozenset[str]]

    @property
    def modules(self) -> list[str]:
        """Dotted names of the modules that hold the definitions, sorted."""
        return sorted({name.partition(":")[0] for name in self.definitions})

    @property
    def sha256(self) -> str:
        """One hash over all definitions, whichever module holds them: moving a definition changes nothing."""
        parts = sorted((name.partition(":")[2], digest) for name, digest in self.definitions.items())
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def package_sources(folder: Path) -> Sources:
    """Reads modules from the folder that contains the package.

    Which modules it has is asked once: a walk asks for every dotted name, and hardly one is a module.
    """
    files = {}
    for path in sorted(folder.joinpath(PACKAGE).rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path

    def source(name: str) -> str | None:
        path = files.get(name)
        if path is None and name.partition(".")[0] != PACKAGE:  # code of one's own beside the package
            stem = folder.joinpath(*name.split("."))
            path = next(
                (one for one in (stem.with_suffix(".py"), stem / "__init__.py") if one.is_file()), None
            )
        return None if path is None else _text(path, path.stat().st_mtime_ns)

    return source


@functools.lru_cache(maxsize=2048)
def _text(path: Path, _changed: int) -> str:
    return path.read_text(encoding="utf-8")


def own_sources() -> Sources:
    """The modules of the package that is running."""
    return package_sources(Path(__file__).resolve().parents[2])


def reach(uses: Iterable[str], loaded: Collection[str], sources: Sources) -> Reach:
    """All definitions that can be reached from dotted paths such as "recsys.baselines.ease.EASE".

    Args:
        uses: dotted paths to begin from.
        loaded: registry entries that count, as "kind/name" (`recsys.code.registry.loaded`); EVERY_LINE
            for all of them, as in runs from before entries were recorded.
        sources: gives the source text of a module.
    """
    walk = _Walk(set(loaded), sources)
    for path in uses:
        walk.links[START] |= walk.follow(path)
    walk.run()
    links = {name: frozenset(targets) for name, targets in walk.links.items()}
    return Reach(dict(sorted(walk.found.items())), frozenset(walk.packages), links)


class _Walk:
    def __init__(self, loaded: set[str], sources: Sources) -> None:
        self._loaded = loaded
        self._sources = sources
        self._modules: dict[str, Module | None] = {}
        self._todo: list[tuple[str, Definition]] = []
        self._followed: dict[tuple[str, str], set[str]] = {}
        self.found: dict[str, str] = {}
        self.links: dict[str, set[str]] = defaultdict(set)
        self.packages: set[str] = set()

    def run(self) -> None:
        while self._todo:
            module, definition = self._todo.pop()
            self.packages |= definition.packages
            for path in definition.uses:
                self.links[f"{module}:{definition.name}"] |= self.follow(path, within=module)

    def follow(self, path: str, within: str = "") -> set[str]:
        """Take in what a dotted path points to; the definitions that it points to."""
        if path in OUTSIDE or path.startswith(BELOW_OUTSIDE):
            return set()
        if (path, within) not in self._followed:
            self._followed[path, within] = set()  # two modules may import each other
            self._followed[path, within] = self._take(path, within)
        return self._followed[path, within]

    def _take(self, path: str, within: str) -> set[str]:
        name, rest = _split(path, self._sources)
        module = self._module(name) if name else None
        if module is None:
            return set()
        head = rest[0] if rest else ""
        if head in module.definitions:
            return self._add(module, module.definitions[head])
        if head in module.aliases:
            return self.follow(".".join([module.aliases[head], *rest[1:]]))
        if name == within or head.startswith("__"):
            return set()
        # the module itself is handed on, or something unknown is asked of it: any of it may be used
        return set().union(*(self._add(module, d) for d in list(module.definitions.values())))

    def _add(self, module: Module, definition: Definition) -> set[str]:
        if definition.entry and not {definition.entry, EVERY_LINE} & self._loaded:
            return set()
        key = f"{module.name}:{definition.name}"
        if key not in self.found:
            self.found[key] = definition.sha256
            self._todo.append((module.name, definition))
            if BODY in module.definitions:
                self._add(module, module.definitions[BODY])
            for name, line in module.definitions.items():
                if line.entry and name.startswith(f"{definition.name}["):
                    self.links[key] |= self._add(module, line)
        return {key}

    def _module(self, name: str) -> Module | None:
        if name not in self._modules:
            source = self._sources(name)
            self._modules[name] = None if source is None else read_module(name, source)
        return self._modules[name]


@functools.lru_cache(maxsize=65_536)
def _split(path: str, sources: Sources) -> tuple[str, tuple[str, ...]]:
    """The longest leading part that is a module, "" if none is, and what is asked of it.

    Kept, because hundreds of walks split the same paths: half of the time of `recsys verify`'s comparison.
    """
    name, rest = path, ()
    while name.partition(".")[0] == PACKAGE:
        if sources(name) is not None:
            return name, rest
        name, _, last = name.rpartition(".")
        rest = (last, *rest)
    return "", ()


def code_hash(*places: str) -> str:
    """Hash of all the code that "module:object" places can reach: part of the key of what is cached.

    Raises:
        ValueError: a place that does not exist.

    Example:
        >>> len(code_hash("recsys.encoders.embed:embed_texts"))
        64
    """
    sources = own_sources()
    for place in places:
        module, _, name = place.partition(":")
        source = sources(module)
        if source is None or name not in read_module(module, source).definitions:
            raise ValueError(f"there is no {place}")
    from recsys.code.registry import loaded

    return reach((place.replace(":", ".") for place in places), loaded(), sources).sha256
